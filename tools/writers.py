"""Train the package's language models, one for each book: `python tools/writers.py FOLDER [EPOCHS]`.

Both are a narrower `char-gpt` with a longer context, so that together they stay below 2 MB in half precision. The
Chinese model uses byte pairs, because a table of 4,415 characters alone would take 0.8 MB, and prompts may contain
other characters. 24 epochs are 6,000 steps and 18 million tokens; about 54 TFLOP each, so five minutes at 200 GFLOP/s.
A stopped run continues from its checkpoint, and the same machine produces the same bytes.
"""

import sys
from pathlib import Path

import chainrule as cr
from chainrule.data import Text
from chainrule.metrics import bits_of_a_character
from chainrule.models import char_gpt
from chainrule.recipes import Recipe

_MOST = 2_000_000
_RECIPE = Recipe(
    model="char-gpt",
    batch_size=24,
    optimizer="adamw",
    learning_rate=0.002,
    weight_decay=0.1,
    schedule="cosine",
    warmup=200,
    clip_norm=1.0,
)
_WRITERS = {
    "char-gpt": ("shakespeare", {"tokens": "characters", "context": 128}, {"size": 96, "blocks": 4}),
    "char-gpt-zh": ("hongloumeng", {"tokens": "pairs", "vocabulary": 1536, "context": 128}, {"size": 96, "blocks": 3}),
}


def main(folder: Path, epochs: int) -> None:
    sizes = 0
    for name, (book, reading, shape) in _WRITERS.items():
        train, test = cr.data.load(book, **reading)
        assert isinstance(train, Text)
        assert isinstance(test, Text)
        network = char_gpt(train.preparation.tokenizer.size, **shape).build(train.sample_shape, seed=0)
        network.preparation = train.preparation
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        _train(network, train, place / "checkpoint.safetensors", epochs)
        cr.save(network, place / "model.safetensors", half=True)
        sizes += (place / "model.safetensors").stat().st_size
        measured = cr.evaluate(network, test)
        bits = bits_of_a_character(measured.loss, test.characters_of_a_token)
        print(f"{name}: {network.values.size:,} parameters, {bits:.3f} bits per character on the test part of {book}")
        print("".join(cr.write_text(network, "\n", length=300)))
    print(f"{sizes:,} bytes in total")
    if sizes > _MOST:
        sys.exit(f"more than {_MOST:,} bytes")


def _train(network: cr.Sequential, train: Text, checkpoint: Path, epochs: int) -> None:
    trainer = _RECIPE.changed(epochs=epochs).trainer(network, len(train))
    if checkpoint.exists():
        trainer.resume(checkpoint)
    for epoch in trainer.fit(train, epochs=epochs, batch_size=_RECIPE.batch_size, checkpoint=checkpoint):
        print(epoch, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 24)
