"""Many captures at once: in processes, on a cluster, with damaged ones among them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hlc.capture import workers
from hlc.capture.each import Job, Result, run
from hlc.capture.many import found
from hlc.capture.workers import Here, Processes, in_order
from hlc.cli import main


class Ran(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str


@pytest.fixture
def decode_many(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """Run `hlc decode` in this process alone, unless a test wants it otherwise."""
    monkeypatch.setenv("COLUMNS", "130")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})

    def decode(*arguments: str | Path) -> Ran:
        try:
            code = main(["decode", *map(str, arguments)])
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        return Ran(code, *capsys.readouterr())

    return decode


@pytest.fixture
def folder(charge: tuple[bytes, list[str]], frames: Any, to_pcap: Callable[..., bytes], tmp_path: Path) -> Path:
    """Two captures of the same name in different directories, one without a session, one that is cut off, one that is
    none, and something else."""
    root = tmp_path / "captures"
    for name in ("b", "a/deep"):
        (root / name).mkdir(parents=True)
        (root / name / "charge.pcapng").write_bytes(charge[0])
    (root / "empty.pcap").write_bytes(to_pcap([]))
    (root / "c-without-suffix").write_bytes(to_pcap(frames))
    (root / "cut.pcap").write_bytes(to_pcap(frames)[:-7])
    (root / "none.pcap").write_bytes(b"this is no capture at all" * 10)
    (root / "notes.txt").write_text("nothing")
    return root


NAMES = ["a/deep/charge.pcapng", "b/charge.pcapng", "c-without-suffix", "cut.pcap", "empty.pcap", "none.pcap"]


def test_which_files(folder: Path, tmp_path: Path) -> None:
    assert [str(Path(path).relative_to(folder)) for path in found([str(folder)])] == NAMES
    (tmp_path / "link").symlink_to(folder / "b", target_is_directory=True)
    twice = found([str(folder), str(folder / "cut.pcap"), str(tmp_path / "link")])
    assert len(twice) == len(NAMES)


def test_a_table_and_totals(decode_many: Callable[..., Ran], folder: Path, charge: tuple[bytes, list[str]]) -> None:
    ran = decode_many(folder)
    assert ran.code == 1
    head, *rows = ran.out.partition("\n\n")[0].splitlines()
    assert head.split()[:2] == ["#", "file"]
    assert [next(name for name in NAMES if name in row) for row in rows] == NAMES
    assert [row.split()[0] for row in rows[:4]] == ["1", "1", "1", "1"]
    assert "good" in rows[0]
    assert "unread" in rows[5]
    messages = sum(int(line.split()[-2]) for line in ran.out.splitlines() if line.endswith("messages"))
    assert messages > 3 * len(charge[1])
    assert "6 captures, 2 without a session, 2 damaged" in ran.out
    assert "4 sessions: " in ran.out
    cut, none = ran.err.splitlines()
    assert cut.startswith(f"hlc decode: {folder / 'cut.pcap'} is damaged: octet ")
    assert none.startswith(f"hlc decode: {folder / 'none.pcap'} is no pcap or pcapng capture")


def test_none_is_damaged(decode_many: Callable[..., Ran], folder: Path) -> None:
    ran = decode_many(folder / "a", folder / "b" / "charge.pcapng")
    assert (ran.code, ran.err) == (0, "")
    assert "2 sessions: 2 good" in ran.out


def test_for_machines(decode_many: Callable[..., Ran], folder: Path) -> None:
    ran = decode_many(folder, "--summary", "--json")
    lines = [json.loads(line) for line in ran.out.splitlines()]
    assert [line["file"] for line in lines] == NAMES
    alone = json.loads(decode_many(folder / "b" / "charge.pcapng", "--summary", "--json").out)
    assert lines[1] == {"file": NAMES[1], "error": None} | alone
    assert "no pcap or pcapng capture" in lines[5]["error"]
    assert lines[3]["damage"]


def test_times_of_all_together(decode_many: Callable[..., Ran], folder: Path) -> None:
    both = json.loads(decode_many(folder / "a", folder / "b", "--timing", "--json").out)
    alone = json.loads(decode_many(folder / "b" / "charge.pcapng", "--timing", "--json").out)
    assert [row["count"] for row in both["answers"]] == [2 * row["count"] for row in alone["answers"]]
    assert [row["p50"] for row in both["answers"]] == [row["p50"] for row in alone["answers"]]
    assert all(row["frame"] is None for row in both["answers"])
    assert "CurrentDemand" in decode_many(folder, "--timing").out


def test_parquet(decode_many: Callable[..., Ran], folder: Path, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="pip install 'openhlc[parquet]'")
    out = tmp_path / "new" / "out"
    ran = decode_many(folder, "--parquet", out)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.splitlines()[-1] == f"hlc decode: {out}/sessions.parquet: 4 sessions of 6 captures"
    index = pq.read_table(out / "sessions.parquet").to_pylist()
    assert [row["file"] for row in index] == NAMES
    assert [row["outcome"] for row in index[:2]] == ["good", "good"]
    assert index[0]["protocol"] == "din70121"
    assert (index[5]["outcome"], index[5]["messages_file"]) == ("unread", None)
    for row in index[:5]:
        table = pq.read_table(out / row["messages_file"])
        assert table.num_rows >= row["messages"]
        assert set(table.column("file").to_pylist()) <= {row["file"]}
    written = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert written == sorted(["sessions.parquet", *(f"messages/{name}.parquet" for name in NAMES[:5])])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--timeline"], "--timeline is for one capture at a time"),
        (["--plot", "x.png"], "--plot is for one capture at a time"),
        (["--frame", "3"], "--frame is for one capture at a time"),
        (["--bits"], "--bits is for one capture at a time"),
        (["--json"], "--json of several captures needs --summary or --timing beside it"),
        (["--keylog", "/nowhere"], "--keylog /nowhere: it cannot be read"),
    ],
)
def test_wrong_usage(decode_many: Callable[..., Ran], folder: Path, options: list[str], said: str) -> None:
    assert decode_many(folder, *options) == (2, "", f"hlc decode: {said}\n")


def test_what_is_not_there(decode_many: Callable[..., Ran], folder: Path, tmp_path: Path) -> None:
    ran = decode_many(folder / "cut.pcap", tmp_path / "nothing.pcap")
    assert ran == (2, "", f"hlc decode: {tmp_path / 'nothing.pcap'}: no such file\n")
    (tmp_path / "nothing").mkdir()
    ran = decode_many(tmp_path / "nothing")
    assert ran == (1, "", f"hlc decode: {tmp_path / 'nothing'}: no capture in there (pcap or pcapng)\n")
    ran = decode_many(folder, "--parquet", folder / "cut.pcap")
    assert (ran.code, ran.out) == (2, "")
    assert "of several captures it is a directory" in ran.err
    assert "--dask is for a directory" in decode_many(folder / "cut.pcap", "--dask", "tcp://127.0.0.1:1").err


def test_processes_give_the_same(
    decode_many: Callable[..., Ran], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = decode_many(folder)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert decode_many(folder) == alone


def test_a_progress_bar(decode_many: Callable[..., Ran], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hlc.capture.progress.EVERY_S", -1.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    ran = decode_many(folder)
    assert "1 of 6 captures" in ran.err
    assert " to go" in ran.err
    assert "\r" not in ran.out


class Unruly:
    """Workers that finish later jobs first; one fails on the way."""

    count = 2

    class Later:
        def __init__(self, job: Job, turn: int) -> None:
            self.job = job
            self.turn = turn

        def result(self) -> Result:
            if self.job.name == "2":
                raise BrokenExecutor("a worker died")
            return Result(self.job.name)

        def done(self) -> bool:
            self.turn -= 1
            return self.turn < 0

        def add_done_callback(self, callback: Callable[[Any], object], /) -> None:
            callback(self)

    def __init__(self) -> None:
        self.begun = 0
        self.most = 0

    def submit(self, job: Job) -> Any:
        self.begun += 1
        return self.Later(job, 9 - int(job.name) % 10)

    def rescue(self, job: Job, error: Exception) -> Result:
        return Result(job.name, error=str(error))

    def close(self) -> None:
        """Nothing to close."""


def test_results_are_in_order_and_few_jobs_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "LOOK_S", 0.0)
    crew = Unruly()
    results = []
    for result in in_order(crew, (Job("", str(n)) for n in range(50)), lambda: None):
        results.append(result)
        assert crew.begun - len(results) <= crew.count * workers.AHEAD
    assert [result.name for result in results] == [str(n) for n in range(50)]
    assert [result.error for result in results if result.error] == ["a worker died"]


def _dies(job: Job) -> Result:
    """A job that takes its process with it."""
    if job.name == "deadly":
        os._exit(9)
    return Result(job.name)


def test_a_process_that_dies_costs_its_own_capture_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_work", _dies)
    crew = Processes(2)
    try:
        jobs = [Job("", name) for name in ("first", "deadly", "third", "fourth")]
        results = list(in_order(crew, jobs, lambda: None))
    finally:
        crew.close()
    assert [result.name for result in results] == ["first", "deadly", "third", "fourth"]
    assert [bool(result.error) for result in results] == [False, True, False, False]
    assert "died" in results[1].error


def test_an_error_of_ours_costs_one_capture(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("hlc.capture.each.one.read", broken)
    result = next(in_order(Here(), [Job(str(folder / "cut.pcap"), "cut.pcap")], lambda: None))
    assert result.error == "internal error: ZeroDivisionError: planted"


def test_names_that_are_no_text(frames: Any, to_pcap: Callable[..., bytes], tmp_path: Path) -> None:
    name = os.fsdecode(b"odd-\xff\n.pcap")
    (tmp_path / name).write_bytes(to_pcap(frames))
    parquet = tmp_path / "out" / "odd.parquet"
    result = run(Job(str(tmp_path / name), name, parquet=str(parquet)))
    assert (result.error, result.written) == ("", True)
    pq = pytest.importorskip("pyarrow.parquet", reason="pip install 'openhlc[parquet]'")
    assert pq.read_table(parquet).column("file")[0].as_py() == "odd-\\xff\n.pcap"


@pytest.fixture
def at_work(
    folder: Path, tmp_path: Path, charge: tuple[bytes, list[str]]
) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A command that writes the files of many captures, and where."""
    pytest.importorskip("pyarrow", reason="pip install 'openhlc[parquet]'")
    for n in range(200):
        (folder / "b" / f"{n}.pcapng").write_bytes(charge[0])
    out = tmp_path / "out"
    program = "import sys; from hlc.cli import main\nif __name__ == '__main__': sys.exit(main())"
    script = tmp_path / "hlc.py"
    script.write_text(program.replace("; ", "\n"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    command = [sys.executable, "-P", str(script), "decode", str(folder), "--parquet", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        while not list(out.rglob("*.parquet")):
            assert process.poll() is None
            time.sleep(0.02)
        yield process, out
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_ctrl_c_ends_it_in_order(at_work: tuple[subprocess.Popen[str], Path], number: signal.Signals) -> None:
    """No file half written, no process left behind, one line."""
    process, out = at_work
    process.send_signal(number)
    assert process.stderr is not None
    err = process.stderr.read()
    assert process.wait(30) == 130
    assert err.splitlines()[-1] == "hlc decode: interrupted"
    assert "Traceback" not in err
    assert list(out.rglob("*.part")) == []
    assert not (out / "sessions.parquet").exists()


def test_no_process_outlives_one_that_is_killed(at_work: tuple[subprocess.Popen[str], Path]) -> None:
    process, _ = at_work
    process.kill()
    assert process.stderr is not None
    process.stderr.read()  # to its end: the others have it too


def test_what_a_stopped_process_leaves_is_taken_away(
    decode_many: Callable[..., Ran], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be stopped between any two steps of writing a file."""
    pytest.importorskip("pyarrow", reason="pip install 'openhlc[parquet]'")
    left: list[Path] = []

    def stopped(crew: Any, jobs: list[Any], tick: Any) -> Iterator[Any]:
        left.append(Path(f"{jobs[0].parquet}.part"))
        left[0].parent.mkdir(parents=True, exist_ok=True)
        left[0].write_bytes(b"PAR1")
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("hlc.capture.many.in_order", stopped)
    assert decode_many(folder, "--parquet", tmp_path / "out").code == 130
    assert left
    assert not left[0].exists()


@pytest.fixture
def cluster() -> Iterator[str]:
    """The address of a Dask cluster in this process."""
    distributed = pytest.importorskip("distributed", reason="pip install 'openhlc[dask]'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, protocol="tcp"
        ) as made:
            yield made.scheduler_address


def test_a_cluster_gives_the_same(decode_many: Callable[..., Ran], folder: Path, cluster: str) -> None:
    alone = decode_many(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert decode_many(folder, "--dask", cluster) == alone


def test_no_cluster(decode_many: Callable[..., Ran], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="pip install 'openhlc[dask]'")
    monkeypatch.setattr(workers, "PATIENCE_S", 0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ran = decode_many(folder, "--dask", "tcp://127.0.0.1:1")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("hlc decode: no Dask cluster at tcp://127.0.0.1:1: ")
    assert ran.err.count("\n") == 1


def test_real_ones(decode_many: Callable[..., Ran], reference: Path) -> None:
    ran = decode_many(reference / "captures" / "vw-ac-iso2.pcap", reference / "captures" / "ISO-2_AC_DS5366.pcapng")
    assert "2 captures" in ran.out
    assert "AC" in ran.out
