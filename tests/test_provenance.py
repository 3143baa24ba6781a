"""Which code made a record: versions and commit."""

from vision.provenance import provenance


def test_provenance_names_versions_and_commit():
    record = provenance()
    assert set(record["versions"]) >= {"torch", "timm", "hydra-core", "vit-vs-cnn"}
    assert record["commit"] is None or len(record["commit"].split("+")[0]) == 40


def test_a_copy_without_git_or_installation_still_has_a_provenance(monkeypatch):
    monkeypatch.setenv("VISION_COMMIT", "0123abc")
    monkeypatch.setattr("vision.provenance.PACKAGES", ("torch", "no-such-package"))
    provenance.cache_clear()
    try:
        record = provenance()
    finally:
        provenance.cache_clear()
    assert record["commit"] == "0123abc" and record["versions"]["no-such-package"] == "not installed"
