"""`tc data`: bring bars in, make them up, and see what is there and whether it is intact."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tc.cli.options import AsJson, RuntimeRoot
from tc.cli.output import print_json, print_lines, print_table
from tc.clock import iso_utc, parse_utc_ns
from tc.data.dataset_info import DatasetInfo, Source, VolumeKind
from tc.data.dataset_store import DatasetStore
from tc.data.finding import RepairChoice
from tc.data.import_options import ImportOptions, Stamp, TimeUnit
from tc.data.step import parse_step, step_text
from tc.errors import ArtifactCorrupt, InputError
from tc.store.roots import Roots

if TYPE_CHECKING:
    from tc.data.importer import ImportOutcome

app = typer.Typer(help="Import, generate, list, show and verify datasets.", no_args_is_help=True)

Format = Literal["auto", "csv", "parquet", "binance", "catalog"]

GAPS_SHOWN = 5

Name = Annotated[str, typer.Argument(help="Name of a dataset, as `tc data list` shows it.")]
NewName = Annotated[str, typer.Option("--name", help="Name of the new dataset.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace a dataset of that name.")]
StampOption = Annotated[
    Stamp | None, typer.Option("--stamp", help="What a row's time is; CSV and Parquet do not tell.")
]
ColumnOption = Annotated[list[str] | None, typer.Option("--column", help="ROLE=NAME, e.g. timestamp=Date; repeatable.")]
TimeUnitOption = Annotated[TimeUnit, typer.Option("--time-unit", help="auto goes by the number of digits.")]
ZoneOption = Annotated[str | None, typer.Option(help="IANA zone of times without offset.", show_default="UTC")]
StepOption = Annotated[str | None, typer.Option(help="Bar interval, e.g. 1m.", show_default="detected")]
PrecisionOption = Annotated[int | None, typer.Option(help="Decimals of prices.", show_default="detected")]
VolumeOption = Annotated[VolumeKind, typer.Option(help="What the volume column holds.")]
ConstantOption = Annotated[str | None, typer.Option(help="With --volume constant: base quantity of every bar.")]
RepairOption = Annotated[
    list[RepairChoice] | None, typer.Option("--repair", help="What to do about bad rows; repeatable.")
]
BarTypeOption = Annotated[str | None, typer.Option(help="Which bars of a catalog that has several kinds.")]


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="File, or folder of a Nautilus catalog.")],
    name: NewName,
    format_: Annotated[Format, typer.Option("--format", help="auto goes by name and content.")] = "auto",
    stamp: StampOption = None,
    column: ColumnOption = None,
    time_unit: TimeUnitOption = "auto",
    zone: ZoneOption = None,
    step: StepOption = None,
    price_precision: PrecisionOption = None,
    volume: VolumeOption = "base",
    volume_constant: ConstantOption = None,
    repair: RepairOption = None,
    bar_type: BarTypeOption = None,
    replace: Replace = False,
    as_json: AsJson = False,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Import bars; rows that cannot be true are named by line and refused unless a repair is chosen."""
    options = ImportOptions(
        stamp=stamp,
        columns=_columns(column or []),
        time_unit=time_unit,
        zone=zone,
        step_ns=None if step is None else parse_step(step),
        price_precision=price_precision,
        volume=volume,
        volume_constant=None if volume_constant is None else _decimal("--volume-constant", volume_constant),
        repairs=frozenset(repair or []),
    )
    store = _store(runtime_root)
    kind = _format(source) if format_ == "auto" else format_
    if kind == "catalog":
        info = _import_catalog(source, bar_type, options, store, name, replace=replace)
        _show(info, as_json=as_json)
        return
    if bar_type is not None:
        raise InputError(f"--bar-type was given, but {source.name} is imported as {kind}; leave it out")
    outcome = _import_file(kind, source, options, store, name, replace=replace)
    _show(outcome.info, as_json=as_json, notes=_notes(outcome))


@app.command("generate")
def generate(
    name: NewName,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same bars.")],
    bars: Annotated[int, typer.Option("--bars", help="Number of bars.")] = 10_080,
    start: Annotated[str, typer.Option("--start", help="UTC time at which the first bar opens.")] = "2022-01-01",
    step: Annotated[str, typer.Option("--step", help="Bar interval, e.g. 1m.")] = "1m",
    price: Annotated[str, typer.Option("--price", help="First price.")] = "40000",
    price_precision: Annotated[int, typer.Option("--price-precision", help="Decimals of prices.")] = 1,
    volatility: Annotated[float, typer.Option("--volatility", help="Annual, 0.6 is 60 %.")] = 0.6,
    jump_probability: Annotated[float, typer.Option("--jump-probability", help="Per bar.")] = 0.0005,
    gap_probability: Annotated[float, typer.Option("--gap-probability", help="Per bar.")] = 0.00002,
    volume: Annotated[float, typer.Option("--volume", help="Base quantity of a typical bar.")] = 10.0,
    replace: Replace = False,
    as_json: AsJson = False,
    runtime_root: RuntimeRoot = None,
) -> None:
    """Make up seeded bars with clustered volatility, daily seasons, jumps and gaps, marked synthetic."""
    from tc.data.generation import GenerationOptions
    from tc.data.generation import generate as generate_bars

    options = GenerationOptions(
        seed=seed,
        bars=bars,
        start_ns=_moment("--start", start),
        step_ns=parse_step(step),
        price=_decimal("--price", price),
        price_precision=price_precision,
        volatility=volatility,
        jump_probability=jump_probability,
        gap_probability=gap_probability,
        volume=volume,
    )
    info = _store(runtime_root).save(
        name,
        generate_bars(options),
        price_precision=price_precision,
        volume="base",
        synthetic=True,
        source=Source("generated", None, None, options.as_text()),
        step_ns=options.step_ns,
        replace=replace,
    )
    _show(info, as_json=as_json)


@app.command("list")
def list_datasets(as_json: AsJson = False, runtime_root: RuntimeRoot = None) -> None:
    """List datasets."""
    store = _store(runtime_root)
    infos: list[DatasetInfo] = []
    damaged: list[ArtifactCorrupt] = []
    for name in store.names():
        try:
            infos.append(store.info(name))
        except ArtifactCorrupt as error:
            damaged.append(error)
    if as_json:
        print_json([info.as_json() for info in infos])
    else:
        _print_overview(infos)
    if damaged:
        raise damaged[0]


def _print_overview(infos: Iterable[DatasetInfo]) -> None:
    rows = [
        (
            info.name,
            str(info.rows),
            step_text(info.step_ns),
            _day(info.ts_first),
            _day(info.ts_last),
            info.volume,
            str(info.gaps.missing_bars),
            "synthetic" if info.synthetic else info.source.kind,
        )
        for info in infos
    ]
    print_table(("NAME", "BARS", "STEP", "FROM", "TO", "VOLUME", "MISSING", "SOURCE"), rows)


@app.command("show")
def show(name: Name, as_json: AsJson = False, runtime_root: RuntimeRoot = None) -> None:
    """Show what is known of a dataset."""
    _show(_store(runtime_root).info(name), as_json=as_json)


@app.command("verify")
def verify(name: Name, as_json: AsJson = False, runtime_root: RuntimeRoot = None) -> None:
    """Read a dataset whole and compare it with its fingerprint; exit 1 where they differ."""
    verification = _store(runtime_root).verify(name)
    if as_json:
        print_json({"name": name, "intact": verification.is_intact, "problems": list(verification.problems)})
    elif verification.is_intact:
        print_lines([f"dataset {name} is intact"])
    else:
        print_lines([f"dataset {name} is damaged:", *(f"  - {problem}" for problem in verification.problems)])
    if not verification.is_intact:
        raise typer.Exit(1)


@app.command("fingerprint")
def fingerprint(name: Name, as_json: AsJson = False, runtime_root: RuntimeRoot = None) -> None:
    """Print the fingerprint of a dataset, as `data.fingerprint` of a run spec takes it."""
    found = _store(runtime_root).info(name).fingerprint
    if as_json:
        print_json({"name": name, "fingerprint": found})
    else:
        print_lines([found])


def _import_file(
    kind: str, source: Path, options: ImportOptions, store: DatasetStore, name: str, *, replace: bool
) -> ImportOutcome:
    from tc.data.importer import import_binance, import_csv, import_parquet

    importers = {"csv": import_csv, "parquet": import_parquet, "binance": import_binance}
    return importers[kind](source, options, store, name, replace=replace)


def _import_catalog(
    source: Path,
    bar_type: str | None,
    options: ImportOptions,
    store: DatasetStore,
    name: str,
    *,
    replace: bool,
) -> DatasetInfo:
    from tc.engine.catalog import read_bars

    allowed = ImportOptions(volume=options.volume, volume_constant=options.volume_constant)
    if options != allowed:
        raise InputError(
            f"{source.name}: a Nautilus catalog tells its columns, times and precision itself; "
            "give no other options than --bar-type, --volume and --volume-constant"
        )
    table, price_precision = read_bars(source, bar_type)
    return store.save(
        name,
        table,
        price_precision=price_precision,
        volume=options.volume,
        volume_constant=options.volume_constant,
        synthetic=False,
        source=Source("catalog", source.name, None, {"bar_type": bar_type or "the only one"}),
        replace=replace,
    )


def _store(runtime_root: Path | None) -> DatasetStore:
    return DatasetStore(Roots.of(None, runtime_root).runtime)


def _format(source: Path) -> Format:
    if source.is_dir():
        return "catalog"
    suffix = source.suffix.lower()
    if suffix in (".parquet", ".pq"):
        return "parquet"
    if suffix == ".zip":
        return "binance"
    from tc.data.binance_archive import looks_like_klines
    from tc.data.source_file import read_source

    return "binance" if looks_like_klines(read_source(source).data, source.name) else "csv"


def _columns(told: Iterable[str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for text in told:
        role, equals, name = text.partition("=")
        if not (equals and role and name) or role in columns:
            raise InputError(f"--column was {text!r}, expected each role once as ROLE=NAME, e.g. timestamp=Date")
        columns[role] = name
    return columns


def _decimal(option: str, text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise InputError(f"{option} was {text!r}, expected a number such as 1000") from None


def _moment(option: str, text: str) -> int:
    try:
        return parse_utc_ns(text)
    except ValueError:
        raise InputError(f"{option} was {text!r}, expected a UTC date or time such as 2022-01-31") from None


def _notes(outcome: ImportOutcome) -> list[str]:
    if not outcome.zero_volume_bars:
        return []
    return [f"note: {outcome.zero_volume_bars} bars have no volume; there the engine fills one unit at a time"]


def _show(info: DatasetInfo, *, as_json: bool, notes: Iterable[str] = ()) -> None:
    if as_json:
        print_json(info.as_json())
        return
    precision = f"{info.price_precision} decimal{'' if info.price_precision == 1 else 's'}"
    constant = "" if info.volume_constant is None else f" {info.volume_constant}"
    facts = [
        ("dataset", f"{info.name}{' (SYNTHETIC)' if info.synthetic else ''}"),
        ("fingerprint", info.fingerprint),
        ("bars", f"{info.rows}, every {step_text(info.step_ns)}"),
        ("close of", f"first {iso_utc(info.ts_first)}, last {iso_utc(info.ts_last)}"),
        ("price", precision),
        ("volume", f"{info.volume}{constant}"),
        ("source", ": ".join(filter(None, (info.source.kind, info.source.file)))),
        *((f"  {key}", value) for key, value in info.source.options.items()),
        ("gaps", f"{info.gaps.count}, missing bars {info.gaps.missing_bars}"),
        *(("", f"{iso_utc(g.ts_from)} to {iso_utc(g.ts_to)}: {g.missing_bars}") for g in info.gaps.first[:GAPS_SHOWN]),
        *(("repair", f"{repair.rule}: {repair.count} rows") for repair in info.repairs),
    ]
    print_lines(f"{key:<18}{value}" for key, value in facts)
    print_lines(notes)


def _day(ts_ns: int) -> str:
    return iso_utc(ts_ns)[:16].replace("T", " ")
