"""`tc data`, as operators and scripts see it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.market import csv_text, minute_rows
from tc.cli import main as cli_main
from tc.data.dataset_store import DatasetStore


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return a function that runs `tc data …` below a fresh runtime root: exit code, stdout, stderr."""
    monkeypatch.setenv("TC_RUNTIME_ROOT", str(tmp_path / "runtime"))
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tc", "data", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli_main.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return call


@pytest.fixture
def source(tmp_path: Path) -> str:
    """Return the name of a CSV file of twelve valid minute bars."""
    (tmp_path / "bars.csv").write_text(csv_text(minute_rows(12)))
    return "bars.csv"


def test_from_import_to_verify(run: Any, source: str) -> None:
    """A file is imported, listed, shown, verified and fingerprinted; facts go to stdout alone."""
    code, out, err = run("import", source, "--name", "btc", "--stamp", "close")
    assert (code, err) == (0, "")
    assert "bars              12, every 1m" in out

    for arguments in (("list",), ("show", "btc"), ("verify", "btc")):
        code, out, err = run(*arguments)
        assert (code, err) == (0, "")
        assert "btc" in out
    code, out, err = run("fingerprint", "btc")
    assert (code, err) == (0, "")
    assert out.startswith("sha256:")


def test_every_command_speaks_json(run: Any, source: str) -> None:
    """With --json every command prints one JSON document, and they agree on the fingerprint."""
    documents = [
        json.loads(run(*arguments, "--json")[1])
        for arguments in (
            ("import", source, "--name", "a", "--stamp", "open"),
            ("show", "a"),
            ("list",),
            ("fingerprint", "a"),
            ("verify", "a"),
            ("generate", "--name", "b", "--seed", "1", "--bars", "10"),
        )
    ]
    imported, shown, listed, fingerprint, verified, generated = documents

    assert imported == shown == listed[0]
    assert fingerprint == {"name": "a", "fingerprint": imported["fingerprint"]}
    assert verified == {"name": "a", "intact": True, "problems": []}
    assert generated["synthetic"] is True


def test_generated_bars_are_called_synthetic(run: Any) -> None:
    """Generated bars say so wherever they show, and the same seed has the same fingerprint."""
    market = ("--seed", "4", "--bars", "50", "--step", "1h", "--price", "1.5", "--price-precision", "4")
    _, first, _ = run("generate", "--name", "one", *market)
    run("generate", "--name", "two", *market)

    assert "one (SYNTHETIC)" in first
    assert "SYNTHETIC" in run("show", "one")[1]
    assert run("list")[1].count("synthetic") == 2
    assert run("fingerprint", "one")[1] == run("fingerprint", "two")[1]


def test_all_import_options_reach_the_importer(run: Any, tmp_path: Path) -> None:
    """Columns, unit, zone, step, precision, volume and repairs are honored as given."""
    rows = [f"2022-06-01 0{hour}:00;{hour + 1};{hour + 2};{hour};{hour + 1};x" for hour in (3, 2, 5, 4)]
    (tmp_path / "odd.txt").write_text(csv_text(rows, "when;first;top;bottom;last;ticks"))
    code, out, _ = run(
        "import", "odd.txt", "--name", "odd", "--format", "csv", "--stamp", "open", "--json",
        "--column", "timestamp=when", "--column", "open=first", "--column", "high=top",
        "--column", "low=bottom", "--column", "close=last", "--time-unit", "iso",
        "--zone", "Europe/Berlin", "--step", "1h",
        "--price-precision", "3", "--volume", "constant", "--volume-constant", "5.5", "--repair", "sort",
    )  # fmt: skip
    info = json.loads(out)

    assert code == 0
    assert info["ts_first"] == 1_654_045_200_000_000_000
    assert info["volume_constant"] == "5.5"
    assert info["price_precision"] == 3
    assert info["repairs"] == [{"rule": "sort", "count": 2, "lines": [3, 5]}]
    assert info["source"]["options"]["zone"] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("import", "gone.csv", "--name", "a", "--stamp", "open"), 2, "gone.csv was not found"),
        (("import", "bars.csv", "--name", "a"), 2, "say --stamp open or --stamp close"),
        (("import", "bars.csv", "--name", "../a", "--stamp", "open"), 2, "is not a plain name"),
        (("import", "bars.csv", "--name", "a", "--stamp", "middle"), 2, "--stamp"),
        (("import", "bars.csv", "--name", "a", "--stamp", "open", "--column", "close"), 2, "ROLE=NAME"),
        (("import", "bars.csv", "--name", "a", "--stamp", "open", "--step", "soon"), 2, "step was 'soon'"),
        (("import", "bars.csv", "--name", "a", "--stamp", "open", "--bar-type", "x"), 2, "--bar-type was"),
        (("import", "bars.csv", "--name", "a", "--stamp", "open", "--volume-constant", "lots"), 2, "'lots'"),
        (("generate", "--name", "a", "--seed", "1", "--start", "yesterday"), 2, "--start was 'yesterday'"),
        (("generate", "--name", "a", "--seed", "1", "--price", "dear"), 2, "--price was 'dear'"),
        (("generate", "--name", "a", "--seed", "-1"), 2, "seed was -1"),
        (("show", "gone"), 2, "dataset 'gone' was not found"),
        (("verify", "gone"), 2, "dataset 'gone' was not found"),
        (("fingerprint", "gone"), 2, "dataset 'gone' was not found"),
    ],
)  # fmt: skip
def test_bad_input_exits_2(run: Any, source: str, arguments: tuple[str, ...], code: int, message: str) -> None:
    """Bad input ends with exit code 2 and one message on stderr that names it; nothing is stored."""
    found, out, err = run(*arguments)

    assert (found, out) == (code, "")
    assert message in err
    assert "Traceback" not in err
    assert json.loads(run("list", "--json")[1]) == []


def test_a_taken_name_exits_4(run: Any, source: str) -> None:
    """A taken name is busy, and --replace takes it over."""
    arguments = ("import", source, "--name", "a", "--stamp", "close")
    run(*arguments)

    assert run(*arguments)[0] == 4
    assert run(*arguments, "--replace")[0] == 0


def test_a_damaged_dataset_exits_1_and_5(run: Any, source: str, tmp_path: Path) -> None:
    """verify says no with exit code 1; a list with an unreadable dataset shows the others and exits 5."""
    for name in ("a", "b"):
        run("import", source, "--name", name, "--stamp", "close")
    (bars,) = (tmp_path / "runtime/datasets/a").glob("*.parquet")
    data = bytearray(bars.read_bytes())
    data[len(data) // 2] ^= 1
    bars.write_bytes(data)

    code, out, _ = run("verify", "a")
    assert code == 1
    assert "dataset a is damaged" in out

    (tmp_path / "runtime/datasets/a/dataset.json").write_text("{}")
    code, out, err = run("list")
    assert code == 5
    assert "b " in out
    assert "it is not a dataset description" in err


def test_the_format_is_recognized(run: Any, tmp_path: Path) -> None:
    """Parquet goes by its suffix and a kline archive by its content."""
    kline = "1640995200000,100.5,101.0,100.0,100.75,1.5,1640995259999,150.0,3,0.5,50.0,0"
    (tmp_path / "klines.csv").write_text(kline)
    code, out, _ = run("import", "klines.csv", "--name", "k", "--json")
    assert (code, json.loads(out)["source"]["kind"]) == (0, "binance")

    (bars,) = (tmp_path / "runtime/datasets/k").glob("*.parquet")
    code, out, _ = run("import", str(bars), "--name", "p", "--stamp", "close", "--step", "1m", "--json")
    assert (code, json.loads(out)["source"]["kind"]) == (0, "parquet")


def test_bars_without_volume_are_mentioned(run: Any, tmp_path: Path) -> None:
    """An import with some bars of zero volume says what the engine makes of them."""
    rows = [*minute_rows(4), "2022-01-01 00:05:00,100.5,101.0,100.0,100.75,0"]
    (tmp_path / "bars.csv").write_text(csv_text(rows))

    assert "1 bars have no volume" in run("import", "bars.csv", "--name", "a", "--stamp", "close")[1]


def test_looking_costs_no_numpy(tmp_path: Path) -> None:
    """Commands that touch no bars import neither numpy, pyarrow, pydantic nor the engine."""
    program = (
        "import sys; from pathlib import Path; import tc.cli.data\n"
        "from tc.data.dataset_store import DatasetStore\n"
        f"store = DatasetStore(Path({str(tmp_path)!r})); store.names()\n"
        "print(sorted({'numpy', 'pyarrow', 'pandas', 'pydantic', 'nautilus_trader'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_loading_costs_no_pandas(tmp_path: Path) -> None:
    """Loading a dataset imports pyarrow without its detour to pandas."""
    from support.market import GENERATED, made_up_bars

    DatasetStore(tmp_path).save(
        "a", made_up_bars(5), price_precision=1, volume="base", synthetic=True, source=GENERATED
    )
    program = (
        "import sys; from pathlib import Path; from tc.data.dataset_store import DatasetStore\n"
        f"assert len(DatasetStore(Path({str(tmp_path)!r})).load('a').table) == 5\n"
        "print('pyarrow' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "True False"
