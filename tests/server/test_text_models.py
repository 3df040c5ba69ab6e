"""Networks that learned from a text, and other sequences: what the API answers of them, and what the page shows."""

import json
import re

import httpx
import numpy as np
import pytest

import chainrule as cr
from server.conftest import serving
from server.test_api import unpack
from server.test_page import number, until

PROMPT = "ROMEO:\nWhat l"
READ = 35  # "W" of the prompt


def small_lstm() -> cr.Sequential:
    network = cr.models.char_lstm(65, 8, 12).build((20,), seed=0)
    network.preparation = cr.data.TextPreparation(cr.pretrained("char-gpt").preparation.tokenizer, 20)
    return network


@pytest.fixture(scope="module")
def writers(tmp_path_factory):
    """A server of char-gpt, a small LSTM that writes, and one that reads sequences of numbers."""
    folder = tmp_path_factory.mktemp("writers")
    cr.save(small_lstm(), folder / "lstm.safetensors")
    signals = cr.Sequential(cr.GRU(5, bidirectional=True), cr.LSTM(4, sequence=False), cr.Affine(2)).build((6, 2))
    cr.save(signals, folder / "signals.safetensors", labels=["up", "down"])
    with serving("char-gpt", folder / "lstm.safetensors", folder / "signals.safetensors") as (address, _):
        yield address


@pytest.fixture
def ask(writers):
    def post(path: str, text: str = PROMPT, **query: object) -> dict:
        answer = httpx.post(f"{writers}/api/{path}", params=query, json={"text": text}, timeout=120)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return post


def network_and_tokens(model: str) -> tuple[cr.Sequential, np.ndarray]:
    network = cr.pretrained("char-gpt") if model == "char-gpt" else small_lstm()
    return network, network.preparation.tokenizer.encode(PROMPT).astype(int)[np.newaxis]


@pytest.mark.parametrize("model", ["char-gpt", "lstm"])
def test_what_comes_next(ask, model):
    network, tokens = network_and_tokens(model)
    logits, _, _ = network.run(tokens)
    expected = cr.functions.softmax(logits[:, -1])[0]
    told = ask("predict", model=model)
    assert told["tokens"] == list(PROMPT)
    characters = network.preparation.tokenizer.characters
    assert told["label"] == characters[expected.argmax()]
    found = [row["probability"] for row in told["probabilities"]]
    np.testing.assert_allclose(found, np.sort(expected)[::-1], atol=1e-5)
    assert told["probabilities"][0]["label"] == told["label"]


@pytest.mark.parametrize("model", ["char-gpt", "lstm"])
def test_a_walk_asks_for_the_token_behind_the_prompt(ask, model):
    network, tokens = network_and_tokens(model)
    labels = np.full(tokens.shape, -1)
    labels[0, -1] = network.preparation.tokenizer.characters.index("i")
    trace = network.trace(tokens, labels)
    told = ask("trace", model=model, label="i")
    assert told["loss"] == pytest.approx(trace.loss)
    np.testing.assert_allclose(unpack(told["dlogits"]), trace.doutputs[0, -1])
    assert [place["name"] for place in told["places"]] == [row.name for row in trace.rows]
    for place, row in zip(told["places"], trace.rows, strict=True):
        assert place["sequence"]
        np.testing.assert_array_equal(unpack(place["y"]), row.y[0])
        for arrays, expected in ((place["between"], row.between), (place["state_gradients"], row.state_gradients)):
            assert arrays.keys() == expected.keys()
            for name, array in arrays.items():
                np.testing.assert_array_equal(unpack(array), expected[name][0])
        assert "Recorder" not in place["layer"]


def test_units_and_derivatives_of_a_text(ask):
    told = ask("unit", model="lstm", place="1.LSTM", unit=5 * 12 + 3)
    assert told["index"] == [5, 3]
    assert {term["index"][0] for term in told["terms"]} <= set(range(6))  # what comes later is not seen
    assert list(told["chain"]) == ["0.Embedding", "2.PointwiseAffine"]
    assert ask("unit", model="char-gpt", place="0.Embedding", unit=7)["count"] == 0
    told = ask("gradient", model="char-gpt", label="i", parameter="0.Embedding.W", index=f"{READ},3")
    assert told["relative_difference"] < 1e-5


def test_it_writes_on(ask):
    told = ask("write", model="char-gpt", length=40, temperature=0.5, top_k=5, seed=3)
    expected = "".join(cr.write_text(cr.pretrained("char-gpt"), PROMPT, length=40, temperature=0.5, top_k=5, seed=3))
    assert told == {"model": "char-gpt", "text": expected, "whole": True}


@pytest.mark.parametrize(
    ("path", "query", "body", "status", "cure"),
    [
        ("predict", {}, {"text": ""}, 422, "give a character"),
        ("predict", {}, {"text": "é"}, 422, "which is not one of the 65 characters"),
        ("predict", {}, {"text": 5}, 422, 'must be {"text": "..."}'),
        ("predict", {}, {"pixels": [1]}, 422, 'must be {"text": "..."}'),
        ("predict", {}, {"text": "a" * 20_001}, 422, "give the end"),
        ("predict", {"model": "signals"}, {"text": "a"}, 422, "pixels"),
        ("trace", {"label": "é"}, {"text": "a"}, 422, "use one of"),
        ("write", {"model": "signals"}, {"text": "a"}, 422, "a network that learned from one"),
        ("write", {"length": 0}, {"text": "a"}, 422, "length"),
        ("write", {"temperature": "nan"}, {"text": "a"}, 422, "temperature"),
    ],
)
def test_bad_texts_are_told(writers, path, query, body, status, cure):
    answer = httpx.post(f"{writers}/api/{path}", params=query, json=body, timeout=60)
    assert answer.status_code == status, answer.text
    assert cure in answer.json()["error"]
    picture = httpx.post(f"{writers}/api/predict", content=b"x", headers={"Content-Type": "image/png"}, timeout=60)
    assert (picture.status_code, "reads text" in picture.json()["error"]) == (415, True)


def test_tokens_are_called_by_their_text_each_once():
    from chainrule.data.byte_pairs import BytePairs
    from chainrule.server.texts import token_names

    names = token_names(BytePairs(((92, 120), (256, 101), (257, 52))))  # \x, \xe, \xe4 as characters
    assert len(set(names)) == len(names) == 259
    assert (names[65], names[0xE4], names[258]) == ("A", r"\xe4", r"\xe4 (258)")
    assert token_names(cr.data.tokenizers.Bytes())[10] == "\n"


# ---- the page ----

SCENE = f"input=text:{PROMPT.replace(chr(10), '%0A').replace(' ', '+')}"
NONSENSE = re.compile(r"undefined|NaN|null|\[object|Infinity")


@pytest.fixture
def open_writer(open_page, writers):
    def open_scene(scene: str, **options):
        page = open_page(f"{SCENE}&{scene}", at=writers, **options)
        page.wait_for_selector("#inside-bricks .brick, #backward-bricks .brick", state="attached", timeout=60_000)
        return page

    return open_scene


@pytest.mark.long
def test_a_prompt_is_written_on(open_page, writers, ask):
    page = open_page("lang=zh", at=writers)
    assert page.locator("#draw h2").inner_text() == "写作"
    assert not page.locator("#paper").is_visible()
    assert not page.locator("#photo").is_visible()
    page.fill("#prompt", PROMPT)
    until(page, "document.querySelector('#answer').textContent.startsWith('下一个')")
    told = ask("predict")
    until(page, "document.querySelectorAll('#bars li').length === 10")
    shown = [number(text.rstrip(" %")) for text in page.locator("#bars li span").all_inner_texts()]
    np.testing.assert_allclose(shown, [100 * row["probability"] for row in told["probabilities"][:10]], atol=0.06)
    page.click("#write-on")
    until(page, "document.querySelector('#written').textContent.length > 100")
    written = page.evaluate("document.querySelector('#written').textContent")
    assert written == PROMPT + ask("write")["text"]
    page.click("#take")
    assert page.locator("#prompt").input_value() == written
    until(page, "!document.querySelector('#context').hidden")  # longer than the context
    page.fill("#prompt", "")
    until(page, "document.querySelector('#answer').textContent === '还没有写东西。'")
    assert page.locator("#write-on").is_disabled()


@pytest.mark.long
def test_a_prompt_that_it_cannot_read_is_told(browser, writers):
    context = browser.new_context(locale="en-US")
    page = context.new_page()  # its console tells of the refusal, too
    page.goto(writers)
    page.wait_for_selector("body[data-ready]", timeout=20_000)
    page.fill("#prompt", "é")
    page.wait_for_selector("#problem:not([hidden])")
    assert "which is not one of the 65 characters" in page.locator("#problem").inner_text()
    context.close()


@pytest.mark.long
def test_inside_shows_attention_states_and_embeddings(open_writer):
    page = open_writer("place=inside&brick=2.TransformerBlock.0.Residual.1.Attention")
    page.wait_for_selector(".between canvas")
    assert page.locator(".between canvas").count() == 4
    assert page.locator("#inside-bricks .tokens").inner_text() == "ROMEO:↵What␣l"
    page.locator(".between canvas").nth(1).hover(
        position={"x": 20, "y": 5}
    )  # beside the names: nothing taken by R but R
    told = page.locator(".between + p").inner_text()
    assert told == "Head 2: “R” (step 0) takes 100.0 % from “R” (step 0)"
    page.evaluate("location.hash = location.hash.replace(/brick=[^&]*/, 'brick=0.Embedding')")
    page.wait_for_selector(".unit h4")
    assert page.locator(".unit tr").count() == len(set(PROMPT))
    network = cr.pretrained("char-gpt")
    W, characters = network.parameters["0.Embedding.W"].value, network.preparation.tokenizer.characters
    likeness = W @ W[characters.index("R")] / np.linalg.norm(W, axis=1) / np.linalg.norm(W[characters.index("R")])
    second = int(np.argsort(-likeness)[1])
    assert page.locator(".unit td").first.inner_text() == f"{characters[second]} {likeness[second]:.2f}"
    page.select_option("#model", "lstm")
    page.locator("#inside-bricks button", has_text="LSTM").click()
    page.wait_for_selector(".between canvas")
    names = [text.split(":")[0] for text in page.locator(".between figcaption").all_inner_texts()]
    assert names == ["h", "c", "i", "f", "g", "o"]
    page.locator(".between canvas").first.hover(position={"x": 3, "y": 3})
    assert "unit 0 at step 0 (“R”)" in page.locator(".between + p").inner_text()
    assert not NONSENSE.search(page.locator("body").inner_text())


@pytest.mark.long
def test_backward_shows_the_gradient_on_its_way_through_time(open_writer):
    page = open_writer("place=backward&model=lstm&label=i&stage=3")
    page.wait_for_selector("#lengths svg")
    network, tokens = network_and_tokens("lstm")
    labels = np.full(tokens.shape, -1)
    labels[0, -1] = network.preparation.tokenizer.characters.index("i")
    row = network.trace(tokens, labels)["1.LSTM"]
    assert page.locator("#lengths .name").all_text_contents() == ["|dy|", "|dx|", "|dh|", "|dc|"]
    told = page.locator("#lengths p").all_inner_texts()
    backs = np.linalg.norm(row.state_gradients["h"][0], axis=1)
    [shown] = [number(text.rpartition(" ")[2]) for text in told if text.startswith("|dh|")]
    assert shown == pytest.approx(backs[0] / backs[-2], rel=1e-2)
    page.click("#step")
    assert page.locator("#backward-detail .tokens span").count() == len(PROMPT)
    assert page.locator("#step").is_disabled()
    for stage in ("0", "1"):
        page.click(f"#stages button >> nth={stage}")
        until(page, f"document.querySelectorAll('#stages button')[{stage}].hasAttribute('aria-current')")
        assert not NONSENSE.search(page.locator("body").inner_text())
    assert page.locator("#logits tbody tr").count() in (20, 21)
    page.select_option("#model", "char-gpt")
    until(page, "document.querySelectorAll('#backward-bricks .brick').length > 30")
    for _ in range(3):
        page.click("#step")
        page.wait_for_timeout(100)
        assert not NONSENSE.search(page.locator("body").inner_text())


@pytest.mark.long
def test_a_weight_of_a_table_is_checked_where_it_is_at_home(open_writer):
    page = open_writer("place=backward&stage=2&weight=7.Unembedding.W:3,4")
    page.wait_for_selector("#check p")
    assert "that of another brick too" in page.locator("#check").inner_text()
    page.evaluate(f"location.hash = location.hash.replace(/stage.*/, 'stage=99&weight=0.Embedding.W:{READ},4')")
    page.wait_for_selector("#check-button")
    until(page, "document.querySelector('#answer').getAttribute('aria-busy') === 'false'")
    page.click("#check-button")
    page.wait_for_selector("#by-numbers", timeout=60_000)
    assert float(page.locator("#difference").inner_text()) < 1e-4


@pytest.mark.long
def test_sequences_of_numbers_are_shown_as_such(open_page, writers):
    page = open_page("place=inside", at=writers)
    page.select_option("#model", "signals")
    page.fill("#numbers", ", ".join(str(i / 10) for i in range(12)))
    until(page, "document.querySelector('#bars .best')")
    page.locator("#inside-bricks button", has_text="GRU").click()
    page.wait_for_selector(".between canvas")
    assert page.locator(".between canvas").count() == 8
    page.click("#tab-backward")
    for _ in range(4):
        page.click("#step")
        assert not NONSENSE.search(page.locator("body").inner_text())
    assert page.locator("#lengths .name").all_text_contents()[:2] == ["|dy|", "|dx|"]
    page.select_option("#model", "char-gpt")
    assert not page.locator("#numbers-input").is_visible()
    assert page.locator("#answer").inner_text() == "Nothing is written yet."


@pytest.mark.long
@pytest.mark.parametrize(
    ("place", "size", "theme"), [("inside", (1400, 900), "light"), ("backward", (390, 844), "dark")]
)
def test_axe_finds_nothing_serious_in_a_text(open_writer, place, size, theme):
    from axe_playwright_python.sync_playwright import Axe

    page = open_writer(f"place={place}&model=lstm&brick=1.LSTM&stage=3&theme={theme}", size=size)
    page.wait_for_timeout(500)
    found = Axe().run(page).response["violations"]
    serious = [rule["id"] for rule in found if rule["impact"] in ("serious", "critical")]
    assert serious == [], json.dumps(found)[:3000]
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
