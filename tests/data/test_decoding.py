"""An image file is read as an image viewer shows it: orientation, transparency, and more than 8 bits."""

import struct
import zlib
from base64 import b85decode
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from vision.config import DataConfig
from vision.data import load_source
from vision.data.decoding import decode, read_header
from vision.data.depth import Ranges
from vision.data.image_shape import to_channels

PICTURE = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
ORIENTATION = 0x0112


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_of_16_bits(values: np.ndarray, kind: int, clear: tuple[int, ...] = ()) -> bytes:
    """A PNG of (H, W, C) values; kind is 0 for grey, 2 for RGB, 4 for grey with alpha, 6 for RGBA."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return png(rows, values.shape[1], values.shape[0], bits=16, kind=kind, clear=clear)


def png(rows: bytes, width: int, height: int, *, bits: int, kind: int, clear: tuple[int, ...] = ()) -> bytes:
    """A PNG of rows that begin with their filter, 0; `clear` is the transparent value."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0))
    transparent = chunk(b"tRNS", struct.pack(f">{len(clear)}H", *clear)) if clear else b""
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + transparent + pixels + chunk(b"IEND", b"")


def tiff(values: np.ndarray, *, sample_format: int = 1, photometric: int = 1, planar: int = 1) -> bytes:
    """A TIFF of grey values (H, W); sample_format is 1 for unsigned, 2 for signed, 3 for floats."""
    height, width = values.shape
    data, bits = values.astype(values.dtype.newbyteorder("<")).tobytes(), 8 * values.dtype.itemsize
    start = 8 + 2 + 12 * 11 + 4
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, start), (277, 1)]
    tags += [(278, height), (279, len(data)), (284, planar), (339, sample_format)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + data


def shown(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("WEBP", {"lossless": True})],
)
def test_orientation_is_applied(orientation, kind, options):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = encoded(Image.fromarray(PICTURE), kind, exif=exif, **options)
    with Image.open(BytesIO(file)) as opened:
        expected = shown(ImageOps.exif_transpose(opened))
    assert torch.equal(decode(file), expected)
    assert read_header(file).shape == expected.shape


def test_a_photograph_held_upright(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = tmp_path / "portrait.jpg"
    Image.new("RGB", (40, 30)).save(path, exif=exif)
    assert decode(str(path)).shape == read_header(str(path)).shape == (3, 40, 30)


def test_broken_exif_data_are_ignored():
    file = encoded(Image.fromarray(PICTURE), "WEBP", lossless=True, exif=b"Exif\0\0MM\0\x2a\0\0\xff\xff")
    assert torch.equal(decode(file), torch.from_numpy(PICTURE.copy()).permute(2, 0, 1))


def test_transparency_shows_the_background():
    alpha = np.zeros((5, 7, 1), np.uint8)
    alpha[:, 3:] = 255
    file = encoded(Image.fromarray(np.concatenate((PICTURE, alpha), axis=2)), "PNG")
    for background, colour in (("white", (255, 255, 255)), ("#102030", (16, 32, 48))):
        image = decode(file, background=background)
        assert (image[:, :, :3] == torch.tensor(colour)[:, None, None]).all()
        assert torch.equal(image[:, :, 3:], torch.from_numpy(PICTURE[:, 3:].copy()).permute(2, 0, 1))
    half = Image.new("RGBA", (2, 2), (100, 100, 100, 51))
    assert decode(encoded(half, "PNG"), background="black").unique().tolist() == [20]


def test_transparent_palettes_and_levels():
    palette = Image.new("P", (2, 2))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    image = decode(encoded(palette, "PNG", transparency=0), background="white")
    assert image[:, 0, 0].tolist() == [255, 255, 255] and image[:, 0, 1].tolist() == [0, 0, 255]
    grey = Image.fromarray(np.array([[7, 50]], np.uint8))
    assert decode(encoded(grey, "PNG", transparency=7)).tolist() == [[[255, 50]]]
    deep = Image.fromarray(np.array([[7, 50], [65535, 256]], np.uint16))
    read = decode(encoded(deep, "PNG", transparency=7), background="red")
    assert read.tolist() == [[[76, 0], [255, 1]]]  # the luminance of red


def test_the_transparent_value_of_a_png_of_fewer_or_more_than_8_bits():
    for bits, row, levels in (
        (1, 0b01000000, (0, 255)),
        (2, 0b00011011, (0, 85, 170, 255)),
        (4, 0x01, (0, 17)),
    ):
        file = png(bytes([0, row]), len(levels), 1, bits=bits, kind=0, clear=(1,))
        assert decode(file, background="#0a0a0a").tolist() == [[[levels[0], 10, *levels[2:]]]]
    values = np.array([[[257, 514, 771], [2570, 0, 65535]]])
    colours = decode(png_of_16_bits(values, 2, clear=(257, 514, 771)), background="#0a141e")
    assert colours[:, 0].T.tolist() == [[10, 20, 30], [10, 0, 255]]


def test_tiff_files_that_pillow_misreads():
    values = np.arange(35).reshape(5, 7) * 7 + 5  # to 243
    assert decode(tiff((values << 24).astype(np.uint32))).tolist() == [values.tolist()]
    white_is_zero = decode(tiff((values << 8).astype(np.uint16), photometric=0))
    assert white_is_zero.tolist() == [(255 - values).tolist()]
    signed = decode(tiff((values - 128).astype(np.int8), sample_format=2))
    expected = ((values - 5) * (255 / 238)).round().astype(int)
    assert read_header(tiff((values - 128).astype(np.int8), sample_format=2)).deep
    assert signed.tolist() == [expected.tolist()]


def planes_of_16_bits(values: np.ndarray) -> bytes:
    """An uncompressed TIFF of RGB values (3, H, W) in separate planes."""
    (count, height, width), data = values.shape, values.astype("<u2").tobytes()
    size, lists = len(data) // count, 8 + len(data)
    starts = struct.pack("<3I3I3H", *(8 + size * plane for plane in range(3)), size, size, size, 16, 16, 16)
    tags = [(256, 1, width), (257, 1, height), (258, 3, lists + 24), (259, 1, 1), (262, 1, 2)]
    tags += [(273, 3, lists), (277, 1, count), (278, 1, height), (279, 3, lists + 12), (284, 1, 2)]
    kinds = {258: 3}  # two bytes each; the others have four
    entries = b"".join(
        struct.pack("<HHII", tag, kinds.get(tag, 4), number, value) for tag, number, value in tags
    )
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", lists + len(starts)) + data + starts + directory


def test_tiff_files_in_separate_planes():
    """Pillow reads the 16-bit planes of an uncompressed file as 8 bits, and white for zero as black."""
    values = PICTURE.transpose(2, 0, 1)
    wide, white_is_zero = (
        planes_of_16_bits(values.astype(int) * 257),
        tiff(PICTURE[..., 0], photometric=0, planar=2),
    )
    assert (np.asarray(Image.open(BytesIO(wide))) != PICTURE).any(), "Pillow reads it now"
    assert (np.asarray(Image.open(BytesIO(white_is_zero))) == PICTURE[..., 0]).all(), "Pillow reads it now"
    for file in (wide, white_is_zero):
        for read in (read_header, decode):
            with pytest.raises(
                ValueError, match=r"an uncompressed TIFF file in separate planes, .* convert it"
            ):
                read(file)
    assert decode(tiff(PICTURE[..., 0], planar=2)).tolist() == [PICTURE[..., 0].tolist()]


@pytest.mark.parametrize(("bits", "shift"), [(8, 0), (10, 2), (12, 4), (16, 8)])
def test_integers_are_scaled_by_their_bits(bits, shift):
    values = np.linspace(0, 2**bits - 1, 35).astype(np.uint16).reshape(5, 7)
    for kind in ("PNG", "TIFF"):
        image = decode(encoded(Image.fromarray(values), kind))
        assert image.tolist() == [(values >> shift).tolist()]
    as_32_bits = encoded(Image.fromarray(values.astype(np.int32)), "TIFF")
    assert decode(as_32_bits).tolist() == [(values >> shift).tolist()]


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_png_of_16_bits_in_colour(tmp_path, kind, channels):
    values = np.random.default_rng(1).integers(0, 65536, (5, 7, channels))
    if channels in (2, 4):
        values[..., -1] = 65535  # opaque
    image = decode(png_of_16_bits(values, kind)).permute(1, 2, 0).numpy()
    colours = values[..., : channels - 1 if channels in (2, 4) else channels]
    assert (image == colours >> 8).all()
    for index in range(10):
        folder = tmp_path / f"kind{index % 2}"
        folder.mkdir(exist_ok=True)
        values[..., :3] = 4095 - index
        values[..., 0, 0] = 0
        (folder / f"{index}.png").write_bytes(png_of_16_bits(values, kind))
    with pytest.raises(ValueError, match=r"have no value above 4095 of 65535, .* convert them to 8 bits"):
        load_source(DataConfig(name="x", source="image_folder", root=str(tmp_path)))


def sgi_of_16_bits(values: np.ndarray) -> bytes:
    """Return an SGI file with the values (H, W, C)."""
    height, width, channels = values.shape
    axes = 2 if channels == 1 else 3
    header = struct.pack(">HBBHHHHii", 474, 0, 2, axes, width, height, channels, 0, 65535).ljust(512, b"\0")
    return header + values[::-1].transpose(2, 0, 1).astype(">u2").tobytes()


def ppm_of_16_bits(values: np.ndarray) -> bytes:
    """Return a PPM file with the values (H, W, 3)."""
    return b"P6 %d %d 65535\n" % values.shape[1::-1] + values.astype(">u2").tobytes()


def cmyk_tiff_of_16_bits(values: np.ndarray) -> bytes:
    """Return a TIFF file with the inks (H, W, 4)."""
    height, width, inks = values.shape
    data, start = values.astype("<u2").tobytes(), 8 + 2 + 12 * 10 + 4
    tags = [(256, width), (257, height), (258, start), (259, 1), (262, 5), (273, start + 8), (277, inks)]
    tags += [(278, height), (279, len(data)), (339, 1)]
    kinds = [struct.pack("<HHII", tag, 4, 4 if tag == 258 else 1, value) for tag, value in tags]
    kinds[2] = struct.pack("<HHII", 258, 3, 4, start)
    bits = struct.pack("<4H", 16, 16, 16, 16)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(kinds) + bytes(4) + bits + data


def assert_dark_files_are_refused(root, file: bytes, suffix: str) -> None:
    """Two classes of this file, whose values use 12 of 16 bits."""
    for index in range(10):
        folder = root / f"kind{index % 2}"
        folder.mkdir(exist_ok=True)
        (folder / f"{index}.{suffix}").write_bytes(file)
    with pytest.raises(ValueError, match=r"have no value above 4\d+ of 65535, .* convert them to 8 bits"):
        load_source(DataConfig(name="x", source="image_folder", root=str(root)))


def test_cmyk_of_16_bits(tmp_path):
    inks = np.random.default_rng(1).integers(0, 65536, (5, 7, 4))
    expected = shown(Image.fromarray((inks >> 8).astype(np.uint8), "CMYK"))
    assert read_header(cmyk_tiff_of_16_bits(inks)).deep
    assert torch.equal(decode(cmyk_tiff_of_16_bits(inks)), expected)
    assert_dark_files_are_refused(tmp_path, cmyk_tiff_of_16_bits(inks >> 4), "tif")


# Written by OpenJPEG: 4 x 4 pixels, a row of white, one of grey, and two of black.
RGB_OF_12_BITS = (
    "c-s5#|38pHp8*6|pcn>F`OMsmj1crch=B(vz{tqJ!otA#KZb$DA>n@tgDL}~b5UwyNotBhQl)}_L28~?fUCPgS!z*nW`3T6k)ElZ"
    "$^QuqTwv2QfEp*?e-OfEsLh%Ao3(s_*S6wxGYG10X!w5<02}rqnE"
)
RGB_OF_16_BITS = (
    "c-muNVBpCLP*C9IYUg5LU=T?wsVvAUFj4@r8KAT-kj?<oVwo8!ML?PbjG6h_L24NIlk;<m7{N>dAYKksoc!Pae;|WCSd0aVVE~oS"
    "%+JUOLH~mocz^<oj0`L+42=I{7+4${{--dgGB7$9r6!i7rYIy;D)<+q=6MCUx+|2W78Pga=P4NJnd+JRpTNKcHccO>aq|5i6K=2>"
    "YIA1(W-VXfwXHba3>nooH2l8_0KbAWS^"
)
GREY_OF_9_BITS = (
    "c-muNVBpCLP*C9IYUg5LU=T?wsVvAUFj4@r8KAT-kj?<oVwo8!ML?Pbj2SuDL24NIlk;<m7{N?IAf60Voc!Pae;|V<Sd0aVVE~oS"
    "$ic|?KZt<`!~}{1P5mFkz~bQXKZQY+fzi1rHL)Z$MIotD!M`9i&nv*yU7;+ss5mn}Pr*pfRL|u91O_g!If_7ylkd-HU^CR_%>2z-"
    "zQAi+ak^P?`v02%dvq+B"
)
GREY_OF_12_BITS = (
    "c-muNVBpCLP*C9IYUg5LU=T?wsVvAUFj4@r8KAT-kj?<oVwo8!ML?Pbj2XGvL24NIlk;<m7{N?IAf5qKoc!Pae;|V<Sd0aVVE~oS"
    "$j!+3KZt<`!~}{1P5mFkz~YebKZQY+fzi1rHL)Z$MIotD!M`9i&nv*yU7;+ss5mn}Pr*pfRL|u91O_g!Ich+SlkYzWVKda`%>2z-"
    "zQAi+ak?1<)&IW<0BY+lq5"
)


@pytest.mark.parametrize(("text", "bits"), [(RGB_OF_12_BITS, 12), (RGB_OF_16_BITS, 16), (GREY_OF_9_BITS, 9)])
def test_jpeg_2000_that_pillow_misreads_is_refused(text, bits):
    file = zlib.decompress(b85decode(text))
    white, grey, *_ = np.asarray(Image.open(BytesIO(file)))
    assert (white.max(), grey.max()) == (0, 128), "Pillow reads it now: it need not be refused"
    for read in (read_header, decode):
        with pytest.raises(ValueError, match=f"a JPEG 2000 image of {bits} bits per channel, .* convert it"):
            read(file)


def test_jpeg_2000_that_pillow_reads():
    assert decode(zlib.decompress(b85decode(GREY_OF_12_BITS)))[0, :, 0].tolist() == [255, 128, 0, 0]
    colour = Image.fromarray(PICTURE)
    for kind in (False, True):  # a bare codestream, and one in a file of boxes
        file = encoded(colour, "JPEG2000", no_jp2=kind)
        assert not read_header(file).deep
        assert torch.equal(decode(file), shown(colour))


def test_fits_is_refused():
    """Pillow reads the signed 16-bit values of FITS as unsigned, and adds no BZERO."""
    cards = ["SIMPLE  = T", "BITPIX  = 16", "NAXIS   = 2", "NAXIS1  = 2", "NAXIS2  = 1", "BZERO   = 32768"]
    header = "".join(card.ljust(80) for card in [*cards, "END"]).ljust(2880)
    values = np.array([32769, 32767]) - 32768
    file = header.encode() + values.astype(">i2").tobytes()
    assert np.asarray(Image.open(BytesIO(file.ljust(5760, b"\0")))).tolist() == [[1, 65535]]
    with pytest.raises(ValueError, match=r"FITS files without the sign, .* convert it to TIFF"):
        decode(file.ljust(5760, b"\0"))


@pytest.mark.parametrize(
    ("write", "channels"), [(sgi_of_16_bits, 1), (sgi_of_16_bits, 3), (ppm_of_16_bits, 3)]
)
def test_other_files_of_which_pillow_reads_the_upper_bits(tmp_path, write, channels):
    values = np.random.default_rng(1).integers(0, 65536, (5, 7, channels))
    image = decode(write(values)).permute(1, 2, 0).numpy().astype(int)
    assert np.abs(image - values / 257).max() <= 1
    suffix = "sgi" if write is sgi_of_16_bits else "ppm"
    assert_dark_files_are_refused(tmp_path, write(values >> 4), suffix)


def test_a_dark_image_whose_header_states_fewer_bits_is_read():
    dark = np.array([[[0, 400, 1200]]])  # of 4095
    file = b"P6 1 1 4095\n" + dark.astype(">u2").tobytes()
    assert not read_header(file).deep
    assert decode(file)[:, 0, 0].tolist() == [0, 25, 75]


def test_floats_are_scaled_by_their_range():
    def read(*values: float) -> list[int]:
        return decode(encoded(Image.fromarray(np.array([values], np.float32)), "TIFF"))[0, 0].tolist()

    assert read(0.0, 0.2, 1.0) == [0, 51, 255]
    assert read(0.0, 0.2, 200.4) == [0, 0, 200]
    assert read(-1.0, 0.0, 3.0) == [0, 64, 255]
    assert read(0.0, 500.0, 1000.0) == [0, 128, 255]
    with pytest.raises(ValueError, match="not finite"):
        read(0.0, float("nan"))


def test_the_range_is_that_of_all_images(tmp_path):
    for index, brightest in enumerate((100, 4000, 1000, 500)):
        folder = tmp_path / f"kind{index % 2}"
        folder.mkdir(exist_ok=True)
        values = np.array([[0, brightest], [brightest, 0]], np.uint16)
        for copy in range(5):
            values[1, 1] = copy
            Image.fromarray(values).save(folder / f"{index}-{copy}.png")
    for memory in (0.5, 1e-12):
        config = DataConfig(name="x", source="image_folder", root=str(tmp_path), max_memory_fraction=memory)
        source = load_source(config)
        pixels = source.train.pixels
        levels = {int(pixels[index].max()) for index in range(len(pixels))}
        assert levels == {100 >> 4, 4000 >> 4, 1000 >> 4, 500 >> 4}
        (remark,) = source.notes.remarks
        assert remark.startswith("5 of 20 images with more than 8 bits use at most 1/16 of the common range")


def test_floats_of_two_scales_are_said(tmp_path):
    random = np.random.default_rng(1)
    for scale in (1, 255):
        (tmp_path / f"kind{scale}").mkdir()
        for index in range(6):
            values = (random.random((4, 4)) * scale).astype(np.float32)
            Image.fromarray(values).save(tmp_path / f"kind{scale}" / f"{index}.tiff")
    source = load_source(DataConfig(name="x", source="image_folder", root=str(tmp_path)))
    assert source.notes.remarks == (
        "6 of 12 images with more than 8 bits use at most 1/16 of the common range, so few grey levels "
        "remain of them; check that all have the same scale",
    )


def test_values_outside_the_range_are_clipped():
    file = encoded(Image.fromarray(np.array([[0, 5000]], np.uint16)), "PNG")
    assert decode(file, ranges=Ranges(integers=(0, 4095))).tolist() == [[[0, 255]]]


def test_the_first_frame_is_read():
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime")]
    for kind in ("GIF", "TIFF", "WEBP", "PNG"):
        options = {"lossless": True} if kind == "WEBP" else {}
        file = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert read_header(file).several
        assert decode(file)[:, 0, 0].tolist() == [255, 0, 0]


def test_grey_of_colour_is_pillows():
    colour = torch.from_numpy(PICTURE.copy()).permute(2, 0, 1)
    grey = torch.from_numpy(np.asarray(Image.fromarray(PICTURE).convert("L")).copy())
    assert torch.equal(to_channels(colour, 1), grey[None])
    assert torch.equal(to_channels(grey[None], 3), grey.expand(3, -1, -1))
    with pytest.raises(ValueError, match="images must have 1 or 3 channels to be read with 3, got 4"):
        to_channels(torch.zeros(4, 2, 2, dtype=torch.uint8), 3)
