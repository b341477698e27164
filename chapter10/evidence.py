"""What the pages measured, over seeds, with verdicts: ``book/evidence/<ID>.json`` and its page.

A page calls ``check("B3", value)`` on what it measured with its one seed. ``run(["B3"])`` repeats
the same experiment over seeds and arms, one row at a time, and goes on where it was stopped.
``write_page()`` writes the table of all claims.
"""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch

from chapter10.claims import Claim, Experiment, find_claim, load_claims
from chapter10.hub import write_json
from chapter10.spread import prediction_interval, summarise

BOOK = Path(__file__).resolve().parent.parent / "book"
"""The book beside the package, in a checkout; an installed package has none."""

SEEDS = 5

Verdict = Literal["supported", "partly", "not at this scale"]


class EvidenceWarning(UserWarning):
    """A value keeps its threshold and is still unlike what was measured before."""


def rows_path(name: str, folder: Path | None = None) -> Path:
    """Where the rows of a claim are kept; the file may not exist yet."""
    return (folder or BOOK / "evidence") / f"{name}.json"


def load_rows(name: str, folder: Path | None = None) -> list[dict[str, Any]]:
    """The stored rows of a claim: arm, seed, measure, value, steps, cpu_seconds. [] without any."""
    path = rows_path(name, folder)
    return list(json.loads(path.read_text(encoding="utf-8"))["rows"]) if path.is_file() else []


def load_values(name: str) -> dict[str, list[float]]:
    """Arm -> the stored values of a claim over seeds, in their order. {} without any."""
    values: dict[str, list[float]] = {}
    for row in load_rows(name):
        values.setdefault(row["arm"], []).append(row["value"])
    return values


def find_experiment(name: str) -> Experiment | None:
    """The experiment behind a claim, from chapter10/experiments/<page>.py, or None as yet."""
    module = f"chapter10.experiments.{find_claim(name).page.replace('-', '_')}"
    if find_spec(module) is None:
        return None
    found: Experiment | None = getattr(import_module(module), "EXPERIMENTS", {}).get(name)
    return found


# --- verdicts


def judge(claim: Claim, arms: Iterable[Sequence[float]]) -> Verdict:
    """supported: every value of every judged arm keeps the bound. partly: some do.

    not at this scale: none does.
    """
    kept = [claim.holds(value) for values in arms for value in values]
    if all(kept):
        return "supported"
    return "partly" if any(kept) else "not at this scale"


# --- in a page


def check(name: str, value: float, arm: str | None = None) -> None:
    """Assert what a page measured, and say how it lies to what was measured before.

    Args:
        name: the claim, "B3".
        value: in the units of the claim's measure.
        arm: whose stored rows to compare with; by default those of the first judged arm.

    Raises:
        AssertionError: the value does not keep the threshold (one-sided; never a band).

    Warns:
        EvidenceWarning: outside the 99.9 % prediction interval of the stored rows.
    """
    claim = find_claim(name)
    value = float(value)
    bound = (
        f"{value:.6g} {claim.direction} {claim.threshold:g}" if claim.threshold is not None else ""
    )
    assert claim.holds(value), f"{name}: {claim.measure}: not {bound}"
    rows = load_rows(name)
    if not rows:
        print(f"{name} ✓ {bound}  （没有存下的数据 no stored rows）")
        return
    arm = rows[0]["arm"] if arm is None else arm
    values = [row["value"] for row in rows if row["arm"] == arm]
    if not values:
        raise ValueError(
            f"{name} has no rows of arm {arm!r}; it has {sorted({row['arm'] for row in rows})}."
        )
    interval = prediction_interval(values)
    mean = summarise(values).mean
    spread = f"，99.9 % [{interval[0]:.4g}, {interval[1]:.4g}]" if interval else ""
    print(f"{name} ✓ {bound}  （{len(values)} seeds: mean {mean:.4g}{spread}）")
    if interval and not interval[0] <= value <= interval[1]:
        warnings.warn(
            f"{name}: {value:.6g} keeps its threshold but lies outside [{interval[0]:.6g}, "
            f"{interval[1]:.6g}], where 99.9 % of values should fall after {len(values)} seeds.",
            EvidenceWarning,
            stacklevel=2,
        )


# --- over seeds


def run(
    ids: Sequence[str] = (), seeds: int = SEEDS, folder: Path | None = None
) -> dict[str, Verdict]:
    """Measure claims over seeds 0, 1, … and every arm, and return their verdicts.

    Each row is written as soon as it is there, the whole file at once; rows already there are kept,
    so a stopped run goes on where it stopped. One thread, so that sums are taken in one order.

    Args:
        ids: claims; none means every one that has an experiment.
        seeds: how many.
        folder: where the rows go; book/evidence by default.

    Raises:
        ValueError: an id that does not exist or has no experiment or threshold yet, or stored rows
            that measured something else.
    """
    chosen = list(ids) or [name for name in load_claims() if find_experiment(name) is not None]
    if seeds < 1:
        raise ValueError(f"seeds is {seeds}; it is at least 1.")
    folder = folder or BOOK / "evidence"
    if not folder.is_dir():
        raise ValueError(f"There is no folder {folder}; run this in a checkout of the project.")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return {name: _run_claim(name, seeds, folder) for name in chosen}
    finally:
        torch.set_num_threads(threads)


def _run_claim(name: str, seeds: int, folder: Path) -> Verdict:
    claim, experiment = find_claim(name), find_experiment(name)
    if experiment is None or claim.threshold is None:
        missing = "an experiment" if experiment is None else "a threshold in claims.yml"
        raise ValueError(f"{name} cannot be measured: it has not got {missing} yet.")
    rows = load_rows(name, folder)
    _refuse_other_rows(name, claim, experiment, folder)
    done = {(row["arm"], row["seed"]) for row in rows}
    for seed in range(seeds):
        for arm in experiment.arms + experiment.controls:
            if (arm, seed) in done:
                continue
            start = time.process_time()
            value, steps = experiment.run(arm, seed)
            rows.append(
                {
                    "arm": arm,
                    "seed": seed,
                    "measure": claim.measure,
                    "value": float(value),
                    "steps": steps,
                    "cpu_seconds": round(time.process_time() - start, 2),
                }
            )
            write_json(rows_path(name, folder), _record(claim, experiment, rows))
    record = _record(claim, experiment, rows)
    write_json(rows_path(name, folder), record)
    verdict: Verdict = record["verdict"]
    return verdict


def _refuse_other_rows(name: str, claim: Claim, experiment: Experiment, folder: Path) -> None:
    """Rows of another measure, other data or another version are not put into one table."""
    path = rows_path(name, folder)
    if not path.is_file():
        return
    stored = json.loads(path.read_text(encoding="utf-8"))
    now = {
        "measure": claim.measure,
        "data": experiment.data,
        "version": version("chapter10"),
    }
    for key, value in now.items():
        if stored[key] != value:
            raise ValueError(
                f"{path} was measured with {key} {stored[key]!r}, and it is now {value!r}; "
                "delete the file to measure anew."
            )


def _record(claim: Claim, experiment: Experiment, rows: list[dict[str, Any]]) -> dict[str, Any]:
    values = {
        arm: [row["value"] for row in rows if row["arm"] == arm]
        for arm in experiment.arms + experiment.controls
    }
    return {
        "id": claim.id,
        "page": claim.page,
        "claim": claim.text,
        "measure": claim.measure,
        "threshold": claim.threshold,
        "direction": claim.direction,
        "verdict": judge(claim, [values[arm] for arm in experiment.arms]),
        "data": experiment.data,
        "version": version("chapter10"),
        "summary": {
            arm: {**summarise(found)._asdict(), "judged": arm in experiment.arms}
            for arm, found in values.items()
            if found
        },
        "rows": rows,
    }


# --- the page

VERDICTS: dict[str, str] = {
    "supported": "成立",
    "partly": "部分成立",
    "not at this scale": "在这个规模上没有看到",
}
OPEN = "尚无证据"

_HEAD = """\
(evidence)=
# 哪些说法有证据？

这一页由程序生成：`python -m chapter10 evidence` 重跑实验，再写出这一页。请不要手改。

每条说法先写下量什么、门槛是多少，再跑实验。同一个实验换几个随机种子重复，每个种子留一行数据。门槛只有一边，写在说法旁边。

- **成立**：每个种子都过了门槛。
- **部分成立**：有的种子过了，有的没有。
- **在这个规模上没有看到**：没有一个种子过门槛。
- **尚无证据**：实验还没有做。列在这里，免得被忘掉。

现在一共 {total} 条说法，{measured} 条有数据，{open} 条尚无证据。

## 总表

```{{list-table}}
:header-rows: 1
:widths: 8 56 16 20
:class: stacked

* - 编号
  - 说法
  - 判定
  - 出处
"""

_DETAILS = """
## 每条说法的数据

“对照”不受门槛判断，放在旁边比较。区间是平均值的 95 % 置信区间。
"""


def write_page(book: Path | None = None) -> Path:
    """Write book/evidence.md, the table of all claims, from claims.yml and the stored rows."""
    path = (book or BOOK) / "evidence.md"
    path.write_text(page_text(book), encoding="utf-8")
    return path


def page_text(book: Path | None = None) -> str:
    """The generated page: every id of claims.yml, links only to pages that the book has."""
    book = book or BOOK
    claims = load_claims().values()
    records = {
        claim.id: json.loads(rows_path(claim.id, book / "evidence").read_text(encoding="utf-8"))
        for claim in claims
        if rows_path(claim.id, book / "evidence").is_file()
    }
    lines = [
        f"* - {_anchor(claim.id, records)}\n  - {claim.text}\n"
        f"  - {VERDICTS[records[claim.id]['verdict']] if claim.id in records else OPEN}\n"
        f"  - {_page_link(claim.page, book)}"
        for claim in claims
    ]
    head = _HEAD.format(total=len(claims), measured=len(records), open=len(claims) - len(records))
    details = "".join(_details(record) for record in records.values())
    return head + "\n".join(lines) + "\n```\n" + (_DETAILS + details if details else "")


def _anchor(name: str, records: dict[str, Any]) -> str:
    return f"[{name}](#evidence-{name.lower()})" if name in records else name


def _page_link(page: str, book: Path) -> str:
    """A link where the page stands in the book's table of contents, else its name."""
    toc = book.parent / "_toc.yml"
    known = toc.is_file() and f"book/{page}\n" in toc.read_text(encoding="utf-8") + "\n"
    return f"{{doc}}`{page}`" if known else f"`{page}`"


def _details(record: dict[str, Any]) -> str:
    name = record["id"]
    rows = [
        f"| {arm} | {'判定' if found['judged'] else '对照'} | {found['mean']:.4g} | "
        f"[{found['low']:.4g}, {found['high']:.4g}] | {found['n']} |"
        for arm, found in record["summary"].items()
    ]
    sign = {">=": "≥", "<=": "≤"}[record["direction"]]
    cpu = math.fsum(row["cpu_seconds"] for row in record["rows"])
    lines = [
        f"\n(evidence-{name.lower()})=",
        f"### {name}：{VERDICTS[record['verdict']]}\n",
        f"{record['claim']}\n",
        f"量的是：{record['measure']}。门槛：{sign} {record['threshold']:g}。\n",
        f"数据：{record['data']}。版本 {record['version']}，共 {cpu:.0f} CPU 秒。\n",
        "| 组 | 角色 | 平均 | 区间 | 种子数 |",
        "|---|---|---|---|---|",
        *rows,
    ]
    return "\n".join(lines) + "\n"
