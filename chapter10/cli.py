"""``python -m chapter10``: train, fine-tune, compare, generate, fill blanks, keep data, measure.

Every command has ``--help`` with an example. What is wrong with the arguments or the files is said
in one sentence, with exit status 2.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

EXPECTED = (ValueError, OSError, ModuleNotFoundError)
"""Errors whose message is meant for the user, beside those that this package defines. Anything
else is a fault of ours and shows its traceback."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, and where to read on."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence and leave with status 2."""
        sentence = message[:1].upper() + message[1:].rstrip(".")
        print(f"{sentence}. `{self.prog} --help` shows an example.", file=sys.stderr)
        sys.exit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0, or 2 after an error of the user's."""
    options = make_parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except BrokenPipeError:  # the reader of our output, such as `head`, has left
        sys.stdout = None
        return 0
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except Exception as error:
        ours = type(error).__module__.startswith("chapter10.")
        if not ours and not isinstance(error, EXPECTED):
            raise
        print(error, file=sys.stderr)
        return 2


def make_parser() -> argparse.ArgumentParser:
    """All commands and their arguments."""
    parser = Parser(
        prog="python -m chapter10", description="BERT, GPT and T5 from scratch, and their course."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Any], int | None], about: str, example: str) -> Parser:
        added: Parser = commands.add_parser(
            name,
            help=about,
            description=about[:1].upper() + about[1:] + ".",
            epilog=f"example: python -m chapter10 {example}",
        )
        added.set_defaults(run=run)
        return added

    add = command("pretrain", pretrain, "train a model as a recipe says", "pretrain bert-zh-tiny")
    add.add_argument("recipe", help="the name of a shipped recipe, or the path of a YAML file")
    add.add_argument("--folder", type=Path, help="where the model goes (default: runs/RECIPE)")
    add.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    add.add_argument("--steps", type=int, help="make this many updates instead of the recipe's")
    add_threads(add)

    add = command("finetune", finetune, "train a task's head and body", "finetune sentiment")
    add.add_argument("task", help="sentiment, tagging, nli or qa")
    add.add_argument("--model", help="a folder or hub name (default: a random start)")
    add.add_argument("--folder", type=Path, help="where the trained model goes")
    add.add_argument("--labels", type=int, default=512, help="labelled examples (default: 512)")
    add.add_argument("--steps", type=int, default=200, help="updates (default: 200)")
    add.add_argument("--seed", type=int, default=0)
    add_threads(add)

    add = command(
        "generate",
        write,
        "continue a text with a GPT, or answer with a T5",
        'generate runs/gpt "春" --temperature 0.8',
    )
    add.add_argument("model", help="a folder, or a name on the hub")
    add.add_argument("text", help="the beginning (GPT) or the input (T5)")
    add.add_argument("--tokens", type=int, default=50, help="how many to write (default: 50)")
    add.add_argument("--temperature", type=float, default=0.0, help="0, the default, is greedy")
    add.add_argument("--top-k", type=int, help="draw among the likeliest only")
    add.add_argument("--seed", type=int, default=0)

    add = command(
        "glue",
        glue,
        "fine-tune a BERT on the four micro-world tasks, one table",
        "glue chapter10/models/bert-zh-micro",
    )
    add.add_argument("checkpoint", help="a folder or hub name, with its tokeniser")
    add.add_argument("--scratch", action="store_true", help="take its sizes, but random weights")
    add.add_argument("--labels", type=int, help="examples a task (default: each its own)")
    add.add_argument("--seed", type=int, default=0)
    add_threads(add)

    add = command(
        "fill",
        fill_in,
        "guess the [MASK]s of a text with a BERT",
        'fill runs/bert-zh-tiny "今天天气很[MASK]。"',
    )
    add.add_argument("model", help="a folder, or a name on the hub")
    add.add_argument("text", help="a text with [MASK] wherever there is a blank")
    add.add_argument("--top", type=int, default=5, help="guesses for each blank (default: 5)")

    _add_data(commands)

    add = command("evidence", evidence, "repeat experiments over seeds", "evidence B3 --seeds 5")
    add.add_argument("ids", nargs="*", help="claims, such as B3 (default: all that can be run)")
    add.add_argument("--seeds", type=int, default=5, help="how many seeds (default: 5)")
    add.add_argument("--page", action="store_true", help="only write the page from stored rows")

    add = command("bench", bench, "compare our speed with the reference library's", "bench")
    add.add_argument("--rounds", type=int, default=9, help="rounds to take the median of")
    add.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to a file")
    add_threads(add)

    command("doctor", doctor, "say what works on this machine", "doctor")
    return parser


def add_threads(parser: argparse.ArgumentParser) -> None:
    """One thread by default: small models are fastest so, and a resumed run stays bit-equal."""
    parser.add_argument("--threads", type=int, default=1, help="for torch (default: 1)")


def _add_data(commands: Any) -> None:
    data: Parser = commands.add_parser(
        "data",
        help="list, fetch, verify or show real data",
        epilog="example: python -m chapter10 data fetch cmrc2018",
    )
    actions = data.add_subparsers(title="actions", required=True, metavar="ACTION")
    for name, run, about in (
        ("list", data_list, "all data sets, their licence, and whether they are here"),
        ("fetch", data_fetch, "download what is missing and check it"),
        ("verify", data_verify, "check the files that are here against their hashes"),
        ("sample", data_sample, "print a few examples"),
    ):
        action = actions.add_parser(
            name,
            help=about,
            epilog=f"example: python -m chapter10 data {name}"
            + ("" if name == "list" else " cmrc2018"),
        )
        action.set_defaults(run=run)
        if name in ("fetch", "sample"):
            action.add_argument("name", help="a data set, as `data list` names it, or microworld")
        if name == "verify":
            action.add_argument("name", nargs="*", help="data sets (default: all that are here)")
        if name == "sample":
            action.add_argument("--language", default="zh", help="of the micro-world: zh or en")
            action.add_argument("--split", help="train, test … (default: the set's first)")
            action.add_argument("--count", type=int, default=3)
            action.add_argument("--seed", type=int, default=0)


def pretrain(options: Any) -> None:
    """``pretrain RECIPE``."""
    from dataclasses import replace

    import torch

    from chapter10.recipes import load_recipe
    from chapter10.recipes import pretrain as train

    recipe = load_recipe(options.recipe)
    if options.steps is not None:
        warmup = min(recipe.training.warmup_steps, options.steps)
        training = replace(recipe.training, steps=options.steps, warmup_steps=warmup)
        recipe = replace(recipe, training=training)
    torch.set_num_threads(options.threads)
    folder = options.folder or Path("runs") / Path(options.recipe).stem
    trained = train(recipe, folder, resume=options.resume)
    rows = [
        (name, f"{value:.4g}", f"{trained.baseline[name]:.4g}" if name in trained.baseline else "")
        for name, value in trained.heldout.items()
        if name != "step"
    ]
    print_table(("on held-out text", "model", "by frequency alone"), rows)
    print(f"The model, its tokeniser, the recipe and the history are in {folder}.")


def finetune(options: Any) -> None:
    """``finetune TASK``."""
    import torch

    from chapter10.tasks import finetune as train

    torch.set_num_threads(options.threads)
    result = train(
        options.task,
        model=options.model,
        folder=options.folder,
        labels=options.labels,
        steps=options.steps,
        seed=options.seed,
    )
    print_table(("on test examples", "model", "baselines"), result.rows())
    for name, counts in (("examples", result.examples), ("left out", result.notes)):
        print(f"{name}: {', '.join(f'{key} {count:,}' for key, count in counts.items()) or 'none'}")


def glue(options: Any) -> None:
    """``glue CHECKPOINT``."""
    import torch

    from chapter10.experiments.glue import micro_glue

    torch.set_num_threads(options.threads)
    lines = micro_glue(
        options.checkpoint, scratch=options.scratch, labels=options.labels, seed=options.seed
    )
    rows = [
        (line.name, *(f"{score:.3f}" for score in (*line.scores.values(), line.average)))
        for line in lines
    ]
    print_table(("share of right answers", *lines[0].scores, "average"), rows)


def write(options: Any) -> None:
    """``generate MODEL TEXT``."""
    import torch

    from chapter10 import GPT, T5, Tokenizer
    from chapter10.checkpoints import CONFIG_FILE
    from chapter10.generation import generate
    from chapter10.hub import find_file, read_json

    kind = read_json(find_file(options.model, CONFIG_FILE)).get("model_type")
    model = (GPT if kind == "gpt2" else T5).from_pretrained(options.model)
    tokenizer = Tokenizer.from_pretrained(options.model)
    written = generate(
        model,
        tokenizer([options.text]).input_ids,
        max_new_tokens=options.tokens,
        temperature=options.temperature,
        top_k=options.top_k,
        generator=torch.Generator().manual_seed(options.seed),
    )
    print(tokenizer.decode(written[0]))


def fill_in(options: Any) -> None:
    """``fill MODEL TEXT``."""
    from chapter10 import BertForPreTraining, Tokenizer
    from chapter10.filling import fill

    model = BertForPreTraining.from_pretrained(options.model)
    blanks = fill(model, Tokenizer.from_pretrained(options.model), options.text, top=options.top)
    rows = [
        (str(number), guess.token, f"{guess.probability:.1%}")
        for number, guesses in enumerate(blanks, 1)
        for guess in guesses
    ]
    print_table(("blank", "token", "probability"), rows)


def data_list(options: Any) -> None:
    """``data list``."""
    from chapter10.data import listing

    rows = [
        (data.name, "yes" if here else "no", f"{data.size / 1e6:.1f} MB", data.licence, data.use)
        for data, here in listing()
    ]
    print_table(("name", "here", "size", "licence", "for"), rows)


def data_fetch(options: Any) -> None:
    """``data fetch NAME``."""
    from chapter10.data import fetch

    for path in fetch(options.name, progress=True):
        print(path)


def data_verify(options: Any) -> int:
    """``data verify [NAME …]``: status 1 when a file is missing or not what it should be."""
    from chapter10.data import listing, verify

    names = options.name or [data.name for data, here in listing() if here]
    reports = [report for name in names for report in verify(name).files]
    print_table(
        ("file", "state", "what would do"),
        [(report.file.path, report.state, report.remedy) for report in reports],
    )
    return int(any(report.state != "ok" for report in reports))


def data_sample(options: Any) -> None:
    """``data sample NAME``; the name microworld prints documents with their labels."""
    if options.name == "microworld":
        from chapter10.data.microworld.showing import show_sample

        show_sample(options.language, options.count, options.seed)
        return
    from chapter10.data import sample

    for example in sample(options.name, options.split, options.count, options.seed):
        print(example)


def evidence(options: Any) -> None:
    """``evidence [ID …]``."""
    from chapter10.evidence import run, write_page

    if not options.page:
        verdicts = run(options.ids, seeds=options.seeds)
        print_table(("claim", "verdict"), list(verdicts.items()))
    print(write_page())


def bench(options: Any) -> None:
    """``bench``."""
    import dataclasses

    import torch
    from tqdm import tqdm

    from chapter10.bench import bench as measure
    from chapter10.hub import write_json

    torch.set_num_threads(options.threads)
    rows = list(tqdm(measure(rounds=options.rounds), unit="row"))
    lines = []
    for row in rows:
        digits = 1 if row.unit == "ms" else 0
        both = (f"{value:,.{digits}f}" for value in (row.ours, row.reference))
        share = "" if row.peak_share is None else f"{row.peak_share:.0%}"
        lines.append((f"{row.measure}, {row.unit}", row.model, *both, f"{row.ratio:.2f}", share))
    header = ("measured", "model", "ours", "reference", "times as good", "of peak")
    print_table(header, lines)
    peak = max(row.peak or 0 for row in rows) / 1e9
    print(f"Peak: a large matrix product, {peak:,.0f} GFLOP/s at best; threads: {options.threads}.")
    if options.json:
        stored = [{**dataclasses.asdict(row), "ratio": row.ratio} for row in rows]
        about = {"torch": torch.__version__, "threads": options.threads}
        write_json(options.json, {**about, "rows": stored})


def doctor(options: Any) -> int:
    """``doctor``: status 1 when something stands in the way."""
    from chapter10.doctor import examine

    findings = examine()
    print_table(
        ("looked at", "state", "found", "what would do"),
        [(each.subject, each.state, each.detail, each.remedy) for each in findings],
    )
    return int(any(each.state == "problem" for each in findings))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on the terminal; cells wrap rather than being cut."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for name in header:
        table.add_column(name, overflow="fold", no_wrap=name == header[0])
    for row in rows:
        table.add_row(*row)
    Console().print(table)
