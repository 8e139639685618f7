"""Downloads: whole and checked, or a sentence."""

import errno
import hashlib
import os

import pytest

from atomlens.datasets import FullereneMd, Mp2018, Qm9Figshare
from atomlens.datasets.sources import download
from atomlens.datasets.sources.download import RemoteFile
from atomlens.errors import DatasetError
from small_deposits import DepositServer, small_deposit

CONTENT = os.urandom(300_000)
URL = "https://example.org/data.bin"


def remote(content: bytes = CONTENT, n_bytes: int | None = None) -> RemoteFile:
    size = len(content) if n_bytes is None else n_bytes
    md5 = hashlib.md5(content).hexdigest()
    return RemoteFile(name="data.bin", url=URL, md5=md5, n_bytes=size)


@pytest.fixture
def served(deposit_server: DepositServer) -> DepositServer:
    deposit_server.contents["/example.org/data.bin"] = CONTENT
    return deposit_server


def test_a_file_arrives_whole(served, tmp_path):
    steps = []
    path = download.download(remote(), tmp_path / "new", lambda *step: steps.append(step))
    assert path.read_bytes() == CONTENT
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in path.parent.iterdir()] == ["data.bin"]


def test_what_is_there_is_not_fetched_again(served, tmp_path):
    download.download(remote(), tmp_path)
    served.asked.clear()
    download.download(remote(), tmp_path)
    assert served.asked == []


def test_a_cut_connection_is_resumed_where_it_broke(served, tmp_path):
    served.cuts = [100_000, 50_000]
    assert download.download(remote(), tmp_path).read_bytes() == CONTENT
    ranges = [wanted for _, wanted in served.asked]
    assert ranges == ["", "bytes=100000-", "bytes=150000-"]


@pytest.mark.parametrize("n_bytes", [0, len(CONTENT)])
def test_a_server_without_ranges_sends_all_of_it_again(served, tmp_path, n_bytes):
    served.knows_ranges = False
    served.cuts = [100_000]
    assert download.download(remote(n_bytes=n_bytes), tmp_path).read_bytes() == CONTENT


def test_an_interrupted_download_goes_on_at_the_next_call(served, tmp_path, monkeypatch):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "_CHUNK", 70_000)
    with pytest.raises(KeyboardInterrupt):
        download.download(remote(), tmp_path, stop)
    assert (tmp_path / "data.bin.part").stat().st_size == 70_000
    assert download.download(remote(), tmp_path).read_bytes() == CONTENT
    assert served.asked[-1][1] == "bytes=70000-"


def test_a_server_that_is_busy_is_asked_again(served, tmp_path):
    served.refusals = [503, 429]
    assert download.download(remote(), tmp_path).read_bytes() == CONTENT


def test_a_server_that_stays_busy_is_said(served, tmp_path):
    served.refusals = [503] * 9
    with pytest.raises(DatasetError, match=r"could not be reached \(the server answers 503"):
        download.download(remote(), tmp_path)
    assert len(served.asked) == 4


def test_a_wrong_checksum_removes_the_file_and_says_so(served, tmp_path):
    other = remote(CONTENT[::-1])
    with pytest.raises(DatasetError, match=r"data\.bin: the checksum .* so it was removed"):
        download.download(other, tmp_path)
    assert list(tmp_path.glob("data*")) == []


def test_a_part_of_another_file_is_begun_again(served, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(b"x" * (len(CONTENT) + 1))
    assert download.download(remote(), tmp_path).read_bytes() == CONTENT
    (tmp_path / "data.bin").unlink()
    (tmp_path / "data.bin.part").write_bytes(b"x" * (len(CONTENT) + 1))
    assert download.download(remote(n_bytes=0), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("status", [403, 404, 202])
def test_a_refusal_is_said_at_once(served, tmp_path, status):
    served.refusals = [status]
    with pytest.raises(DatasetError, match=rf"{status}.*download {URL} by hand into {tmp_path}"):
        download.download(remote(), tmp_path)
    assert len(served.asked) == 1


def test_without_a_network_the_way_by_hand_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(download, "WAITS", (0.0,))
    monkeypatch.setenv("ATOMLENS_DATA_MIRROR", "http://127.0.0.1:9")
    with pytest.raises(DatasetError) as caught:
        download.download(remote(), tmp_path)
    assert "127.0.0.1:9 could not be reached (Connection refused)" in str(caught.value)
    assert f"download {URL} by hand into {tmp_path}." in str(caught.value)


def test_a_disk_without_room_is_said_before_anything_is_fetched(served, tmp_path):
    with pytest.raises(DatasetError, match=r"the disk is full \(.* are needed, .* are free\)"):
        download.download(remote(n_bytes=10**18), tmp_path)
    assert served.asked == []


def test_a_disk_that_fills_up_keeps_the_part(served, tmp_path, monkeypatch):
    def full(done: int, total: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DatasetError, match=r"the disk is full .* it goes on"):
        download.download(remote(), tmp_path, full)
    assert (tmp_path / "data.bin.part").stat().st_size == len(CONTENT)
    assert download.download(remote(), tmp_path).read_bytes() == CONTENT


def test_a_folder_that_is_a_file_is_said(served, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match=r"data\.bin cannot be kept here"):
        download.download(remote(), tmp_path / "file")


def test_an_address_that_leads_to_a_file_is_refused(monkeypatch, tmp_path):
    monkeypatch.delenv("ATOMLENS_DATA_MIRROR", raising=False)
    file = RemoteFile(name="x", url="file:///etc/hostname", md5="")
    with pytest.raises(DatasetError, match="no web address"):
        download.download(file, tmp_path)


def test_zenodo_is_asked_for_names_and_checksums(deposit_server, tmp_path):
    deposit_server.add_zenodo("8435481", small_deposit("fullerene-md") | {"smfe12.zip": b"other"})
    source = FullereneMd()
    (path,) = source.fetch()
    assert path == tmp_path / "cache" / "downloads" / "fullerene-md" / "fullerene.zip"
    assert source.stated_licence() == "cc-by-4.0"
    assert len(source.load()) == 36


def test_figshare_is_asked_for_names_and_checksums(deposit_server):
    deposit_server.add_figshare("7451351", {"mp.2019.json.zip": b""} | small_deposit("mp-2018"))
    source = Mp2018()
    source.fetch()
    assert source.stated_licence() == "MIT"
    assert len(source.load()) == 36


def test_known_files_need_no_record(deposit_server):
    content = small_deposit("qm9-figshare")
    remotes = [f.remote for f in Qm9Figshare.deposit.files]
    for file in remotes:
        path = "/" + file.url.removeprefix("https://")
        deposit_server.contents[path] = content[file.name]
    with pytest.raises(DatasetError, match="checksum"):
        Qm9Figshare().fetch()  # the small archive is not the real one
    assert [path for path, _ in deposit_server.asked] == ["/ndownloader.figshare.com/files/3195389"]


def test_a_second_fetch_needs_no_network(deposit_server):
    deposit_server.add_zenodo("8435481", small_deposit("fullerene-md"))
    first = FullereneMd().fetch()
    deposit_server.contents.clear()
    deposit_server.asked.clear()
    assert FullereneMd().fetch() == first
    assert deposit_server.asked == []


def test_a_file_that_changed_since_is_fetched_again(deposit_server):
    deposit_server.add_zenodo("8435481", small_deposit("fullerene-md"))
    (path,) = FullereneMd().fetch()
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    FullereneMd().fetch()
    assert path.read_bytes() == whole


def test_a_record_without_the_file_lists_what_it_has(deposit_server):
    deposit_server.add_zenodo("8435481", {"smfe12.zip": b"x", "readme.pdf": b"y"})
    with pytest.raises(DatasetError, match=r"fullerene\.zip.*there are: smfe12\.zip, readme\.pdf"):
        FullereneMd().fetch()


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"files": [{"key": "../fullerene.zip"}]}'])
def test_a_record_that_is_none_is_said(deposit_server, answer):
    deposit_server.contents["/zenodo.org/api/records/8435481"] = answer
    with pytest.raises(DatasetError, match=r"records/8435481: the answer .* by hand into"):
        FullereneMd().fetch()


def test_a_record_cannot_place_a_file_elsewhere(deposit_server, tmp_path):
    deposit_server.add_zenodo("8435481", {"../fullerene.zip": b"x"})
    with pytest.raises(DatasetError, match="does not list the files as it used to"):
        FullereneMd().fetch()
    assert not list(tmp_path.rglob("fullerene.zip*"))


@pytest.mark.parametrize(
    "mirror", ["http://mirror.example.org", "http://10.0.0.1:8000", "ftp://x.org"]
)
def test_a_mirror_that_anybody_could_change_is_refused(monkeypatch, tmp_path, mirror):
    monkeypatch.setenv("ATOMLENS_DATA_MIRROR", mirror)
    with pytest.raises(DatasetError, match=r"only https|no web address"):
        download.download(remote(), tmp_path)


def test_a_server_that_leads_away_from_https_is_not_followed(tmp_path):
    redirects = download._SafeRedirects("or go there by hand")
    request = download.Request(URL)
    with pytest.raises(DatasetError, match="only https"):
        redirects.redirect_request(request, None, 302, "Found", {}, "http://example.org/data.bin")
    safe = redirects.redirect_request(request, None, 302, "Found", {}, "https://example.org/b")
    assert safe.full_url == "https://example.org/b"


def test_where_the_sha256_is_known_the_md5_is_not_enough(served, tmp_path):
    other = RemoteFile(name="data.bin", url=URL, md5=remote().md5, sha256="0" * 64)
    with pytest.raises(DatasetError, match="checksum"):
        download.download(other, tmp_path / "a")
    known = hashlib.sha256(CONTENT).hexdigest()
    right = RemoteFile(name="data.bin", url=URL, md5="", sha256=known)
    assert download.download(right, tmp_path / "b").read_bytes() == CONTENT
