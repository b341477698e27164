"""Turn a finished run of a shipped recipe into a model of the package, with its card.

    python -m chapter10 pretrain bert-zh-micro
    python tools/ship_model.py runs/bert-zh-micro --seconds 960

Weights become half precision; ``training.json`` keeps what the recipe's test compares and what the
card tells; the card's last section, below its line "用途与局限", is kept where there is one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from chapter10 import BertForPreTraining, Tokenizer
from chapter10.hub import write_json
from chapter10.recipes import load_recipe
from chapter10.training import History

MODELS = Path(__file__).resolve().parent.parent / "chapter10" / "models"
FIRST, WINDOW = 5, 50
LIMITS = "用途与局限："
SENTENCES = {"none": "没有句对任务", "next": "加下一句预测（NSP）", "order": "加句序预测（SOP）"}


def main() -> None:
    """Read the run, write the model's folder."""
    parser = argparse.ArgumentParser(description="Put a finished run into chapter10/models.")
    parser.add_argument("run", type=Path, help="the folder that `pretrain` wrote")
    parser.add_argument("--name", help="of the recipe and the model (default: the folder's)")
    parser.add_argument("--seconds", type=int, required=True, help="processor time of the run")
    options = parser.parse_args()
    name = options.name or options.run.name
    folder = MODELS / name
    model = BertForPreTraining.from_pretrained(options.run)
    model.save_pretrained(folder, dtype=torch.float16)
    Tokenizer.from_pretrained(options.run).save_pretrained(folder)
    history = History.load(options.run / "history.jsonl")
    results = json.loads((options.run / "results.json").read_text(encoding="utf-8"))
    training = {
        "steps": len(history.steps),
        "tokens": history.tokens[-1],
        "cpu_seconds": options.seconds,
        "losses": {
            "first": [round(loss, 5) for loss in history.losses[:FIRST]],
            f"mean_of_{WINDOW}_before_step": means(history),
        },
        "evaluations": [
            {key: round(value, 4) for key, value in entry.items()} for entry in history.evaluations
        ],
        "baseline": results["baseline"],
    }
    write_json(folder / "training.json", training)
    card = folder / "README.md"
    kept = card.read_text(encoding="utf-8") if card.is_file() else f"{LIMITS}教学。\n"
    (tail,) = (line for line in kept.splitlines() if line.startswith(LIMITS))
    text = write_card(name, model, history, options.seconds, results["baseline"])
    card.write_text(f"{text}\n{tail}\n", encoding="utf-8")
    print(f"{folder}: {(folder / 'model.safetensors').stat().st_size:,} bytes of weights")


def means(history: History) -> dict[str, float]:
    """Mean loss of the steps before some step, from early to the last."""
    last = len(history.losses)
    steps = [step for step in (100, 250, 500, 1000, 2000, 4000, 8000, 16000) if step < last]
    return {
        str(step): round(sum(history.losses[step - WINDOW : step]) / WINDOW, 3)
        for step in [*steps, last]
    }


def write_card(
    name: str,
    model: BertForPreTraining,
    history: History,
    seconds: int,
    baseline: dict[str, float],
) -> str:
    """The model card, in Chinese, from the recipe and the history."""
    recipe = load_recipe(name)
    config, training, text = model.config, recipe.training, recipe.data.microworld
    assert text is not None  # the models of the package are trained on the micro-world
    size = (MODELS / name / "model.safetensors").stat().st_size / 1e6
    masking = recipe.objective.masking
    shares = "/".join(
        f"{100 * share:g}"
        for share in (masking.mask_share, masking.random_share, masking.keep_share)
    )
    losses = "，".join(f"{step} 步 {loss}" for step, loss in means(history).items())
    pairs = any("sentence_accuracy" in entry for entry in history.evaluations)
    rows = [
        f"| {int(entry['step'])} | {entry['masked']:.3f} | {entry['masked_accuracy']:.3f} |"
        + (f" {entry['sentence_accuracy']:.3f} |" if pairs else "")
        for entry in history.evaluations
    ]
    head = "| 步 | 填空的损失（nat） | 填对的比例 |" + (" 句序判对的比例 |" if pairs else "")
    line = "|---|---|---|" + ("---|" if pairs else "")
    table = "\n".join([head, line, *rows])
    return f"""\
# {name}

用本书的微世界预训练的小中文 BERT。一个字一个词元，{config.num_hidden_layers} 层，\
宽度 {config.hidden_size}，{sum(p.numel() for p in model.parameters()):,} 个参数，\
{config.max_position_embeddings} 个位置，半精度存储，{size:.2f} MB。

```python
from chapter10 import BertForPreTraining, Tokenizer
from chapter10.models import shipped

model = BertForPreTraining.from_pretrained(shipped("{name}"))
tokenizer = Tokenizer.from_pretrained(shipped("{name}"))
```

- **数据**：微世界的中文 {text.documents:,} 篇（故事、单句、评论、推论），完整词表，\
用词按齐夫分布，种子 {text.seed}；一篇一行，分成两段。\
{100 * recipe.data.heldout:g} % 的篇留出来评估。没有任何真实文本。
- **任务**：盖 {100 * masking.ratio:g} %，{shares}；{SENTENCES[recipe.objective.sentences]}。
- **步数**：{len(history.steps):,} 步，每步最多 {recipe.data.tokens_per_batch:,} 个词元，\
共 {history.tokens[-1]:,} 个；AdamW，学习率 {training.learning_rate:g}，线性下降。
- **种子**：{training.seed}。
- **时间**：一个 CPU 线程 {seconds} 秒（CPU 时间）。
- **损失**：训练损失，每处是之前 {WINDOW} 步的平均：{losses}。
- **许可**：权重与文字 CC BY-SA 4.0，代码 MIT，与本书相同。

留出文本（只看频率的基线：填对 {baseline["masked_accuracy"]:.3f}）：

{table}

重做一遍：`python -m chapter10 pretrain {name}`。\
一个测试核对头几步的损失与 `training.json` 里的相同。
"""


if __name__ == "__main__":
    main()
