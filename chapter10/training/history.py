"""What a run noted at each step and at each evaluation."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from chapter10.hub import write_whole


@dataclass
class History:
    """What was noted at each step, and at each evaluation.

    losses: of each step, the mean over all its terms, in nats. tokens: real ones seen so far.
    evaluations: ``{"step": updates done, name: value, …}``. best_step: the evaluated step whose
    weights the model has, where there was ``patience``. seconds: of wall clock, all runs together.
    """

    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=list)
    evaluations: list[dict[str, float]] = field(default_factory=list)
    best_step: int | None = None
    stopped_early: bool = False
    seconds: float = 0.0

    def curve(self, name: str = "loss") -> tuple[list[int], list[float]]:
        """Steps and values of one quantity of the evaluations."""
        known = [entry for entry in self.evaluations if name in entry]
        return [int(entry["step"]) for entry in known], [entry[name] for entry in known]

    def save(self, path: Path) -> None:
        """Write JSON lines: one for each step, one for each evaluation, one for the end."""
        columns = zip(self.steps, self.losses, self.tokens, self.learning_rates, strict=True)
        names = ("step", "loss", "tokens", "learning_rate")
        end = {name: getattr(self, name) for name in ("best_step", "stopped_early", "seconds")}
        rows = [
            *(dict(zip(names, row, strict=True)) for row in columns),
            *({"evaluation": entry} for entry in self.evaluations),
            {"end": end},
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8") and None)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote."""
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        steps = [row for row in rows if "step" in row]
        return cls(
            steps=[row["step"] for row in steps],
            losses=[row["loss"] for row in steps],
            tokens=[row["tokens"] for row in steps],
            learning_rates=[row["learning_rate"] for row in steps],
            evaluations=[row["evaluation"] for row in rows if "evaluation" in row],
            **next(row["end"] for row in rows if "end" in row),
        )
