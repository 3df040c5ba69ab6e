"""Create the package's texts from the files named in NOTICE: `python tools/books.py input.txt input-zh.txt`.

The English text is used unchanged. In the Chinese text, the typist's notes are replaced by the characters that they
describe, and stray symbols and empty lines are removed.
"""

import bz2
import hashlib
import re
import sys
from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "src" / "chainrule" / "data" / "files"
_DESCRIBED = {
    "簪*上*髟*下*赞*": "纂",
    "鸡*左毛右几*巴*左毛右巴*": "鸡巴",
    "贾扁*左玉右扁*": "贾㻞",
    "贾扁*所玉右扁*": "贾㻞",
    "分*左分右瓜*": "瓟",
    "溜*左口右留*": "溜",
}
"""Notes that describe characters which the typist could not enter, and those characters."""
_MENDED = {
    "至?玉峰": "至吴玉峰",
    "黄?三钱": "黄芪三钱",
    "收尾?飞鸟": "收尾·飞鸟",
    "西楼?楼会": "西楼·楼会",
    "西楼?楚江情": "西楼·楚江情",
    "<<": "《",
    ">>": "》",
    "咏<": "咏〈",
    "图>": "图〉",
    "︰": "：",
    "题曰:": "题曰：",
    "．": "，",
    "￥“": "：“",
    "﹐": "，",
    "﹒": "·",
    "十七日\ue11c": "十七日",
    "﹔": "；",
    "﹕": "：",
    "﹗": "！",
    "ㄚ": "丫",
    "ㄠ": "幺",
}


def main(english: str, chinese: str) -> None:
    for name, text in (("shakespeare", _read(english)), ("hongloumeng", _cleaned(_read(chinese)))):
        content = text.encode()
        path = _FOLDER / f"{name}.txt.bz2"
        path.write_bytes(bz2.compress(content, 9))
        print(f"{name}: {len(text):,} characters, {len(set(text)):,} different, {path.stat().st_size:,} bytes")
        print(f"SHA-256 {hashlib.sha256(content).hexdigest()}")


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8-sig")  # normalizes newlines


def _cleaned(text: str) -> str:
    for note, character in _DESCRIBED.items():
        parts = [re.escape(part) for part in note.split("*")]
        text = re.sub("(?:[(（]原字为|[“”)）])*".join(parts), character, text)
    for wrong, right in _MENDED.items():
        text = text.replace(wrong, right)
    text = re.sub(r"(?<=[^？！])\?", "", text).replace("!", "！").replace("?", "？")
    text = re.sub(r"\.{2,}|…+", "……", text)
    text = re.sub(r"[-―—─]+", "——", text)
    text = re.sub('"([^"\n]*)"', r"“\1”", text)
    text = re.sub(r"[ \u3000]+", "\u3000", text)
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line) + "\n"


main(*sys.argv[1:])
