"""A browser, and the pages that it opens."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from known_records import records
from selenium import webdriver

from vision.report import write_report

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SWITCHES = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars"),
)


@pytest.fixture(scope="session")
def real(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of real runs, which has every figure."""
    page = tmp_path_factory.mktemp("real") / "report.html"
    written = write_report(sweep, page)
    assert {"confusion", "classes", "steps", "cost"} <= {figure.name for figure in written.figures}
    return page


@pytest.fixture(params=["table", "runs"])
def any_page(request: pytest.FixtureRequest) -> Path:
    """Either page."""
    return request.getfixturevalue({"table": "page", "runs": "real"}[request.param])


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser")
    records(models=("CNN", "ViT", "a model with quite a long name")).to_csv(folder / "runs.csv", index=False)
    write_report(folder / "runs.csv", folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="session")
def without_more(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page without training accuracy, so with no figure below the first two, and with long names."""
    folder = tmp_path_factory.mktemp("few")
    table = records(models=("convnext_atto.a_name_without_a_space", "vit_tiny.another_name_without_one"))
    table.drop(columns="train_accuracy").to_csv(folder / "runs.csv", index=False)
    write_report(folder / "runs.csv", folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    if not (CHROMIUM and DRIVER):
        pytest.skip("needs Debian's packages chromium and chromium-driver, as .ci/run has them")
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    yield driver
    driver.quit()
