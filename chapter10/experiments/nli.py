"""What the page `nli` runs (claim B14): two sentences in, one class out."""

from __future__ import annotations

from chapter10.experiments import downstream

EXPERIMENTS = {"B14": downstream.case_experiment("nli")}
