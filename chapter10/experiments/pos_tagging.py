"""The experiments of the page `pos-tagging`: one label for each word of a sequence."""

from __future__ import annotations

from chapter10.experiments import downstream

EXPERIMENTS = {"B13": downstream.case_experiment("tagging")}
