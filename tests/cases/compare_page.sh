#!/usr/bin/env bash
# long
# The page of lamella compare in a browser, light and dark: it renders, its plots are there, and nothing is written to the console.
. "$(dirname "$0")/../lib.sh"

browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[[ -n $browser ]] || skip "no Chromium"
command -v python3 >/dev/null || skip "no python3 to look at pictures"
lamella compare "$SPECS/mlp.lam" --variant '<b>usual</b>:' --variant 'bare: --passes=none' --time 0.5 --threads 1 --html page.html >out.txt 2>errors.txt || {
  cat errors.txt
  grep -q 'cannot be compiled in memory' errors.txt && skip "no LLVM"
  fail "compare"
}
grep -Eq '(src|href)="?(https?:)?//' page.html && fail "the page wants something from elsewhere"

# browse FILE ARGUMENTS...: opens the page; messages of its console go to console.txt.
browse() {
  local page=$1
  shift
  timeout 100 "$browser" --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$WORK/profile" --enable-logging=stderr \
    --window-size=1180,2400 "$@" "file://$WORK/$page" 2>log.txt || { tail -5 log.txt; skip "Chromium does not start here"; }
  grep 'CONSOLE' log.txt >console.txt || true
}

browse page.html --dump-dom >dom.html
[[ ! -s console.txt ]] || { cat console.txt; fail "the console is not empty"; }
for id in table times kernels losses memory; do grep -q "id=\"$id\"" dom.html || fail "the page has no $id"; done
grep -q '&lt;b&gt;usual&lt;/b&gt;' dom.html || fail "a name is not shown as it is"
grep -qE '(NaN|undefined|Infinity)' <(sed 's/<script.*//; /^"use strict"/,/^<\/script>/d' dom.html | grep -v '@DATA@') && fail "a number on the page is none"

# There are losses that are no numbers, and more of them than a call can have arguments.
lamella compare "$SPECS/mlp.lam" --variant 'usual:' --variant 'wild: -D optimizer.lr=1e38' --time 0.3 --threads 1 --steps 150000 --html wild.html >/dev/null
grep -q 'null' wild.html || fail "no loss is infinite or NaN"
browse wild.html --dump-dom >dom.html
[[ ! -s console.txt ]] || { cat console.txt; fail "the console is not empty with losses that are no numbers"; }
for id in table times kernels losses memory; do grep -q "id=\"$id\"" dom.html || fail "the page has no $id when losses are no numbers"; done

# Trained weights: loss and time of each variant, and of each parameter.
lamella run "$SPECS/mlp.lam" train --steps 30 --out w.safetensors --quiet >/dev/null
lamella compare "$SPECS/mlp.lam" --weights=w.safetensors --passes= --passes='eight=quantize(i8)' --passes='four=quantize(i4)' --time 0.5 \
  --threads 1 --max-loss=+1% --html loss.html >/dev/null
browse loss.html --dump-dom >dom.html
[[ ! -s console.txt ]] || { cat console.txt; fail "the console is not empty with losses of weights"; }
for id in table times-predict trade times kernels memory; do grep -q "id=\"$id\"" dom.html || fail "the page has no $id for weights"; done
lamella compare "$SPECS/mlp.lam" --weights=w.safetensors --per-layer --time 2 --threads 1 --html layers.html >/dev/null
browse layers.html --dump-dom >dom.html
[[ ! -s console.txt ]] || { cat console.txt; fail "the console is not empty with layers"; }
for id in proposal layers; do grep -q "id=\"$id\"" dom.html || fail "the page has no $id"; done

# The check would notice a fault, as in the same page with broken data.
sed 's|id="data">{|id="data">{{|' page.html >broken.html
browse broken.html --dump-dom >/dev/null
grep -q 'SyntaxError' console.txt || fail "an error in the console is not noticed"

cat >look.py <<'PYTHON'
"""look.py PICTURE BACKGROUND PANEL COLOUR...: fails unless the picture has a page of panels with marks of these colours in them."""
import struct, sys, zlib

def pixels(path):
    data, at, packed = open(path, "rb").read(), 8, b""
    while at < len(data):
        size, = struct.unpack(">I", data[at:at + 4])
        kind, body = data[at + 4:at + 8], data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        if kind == b"IDAT":
            packed += body
        at += 12 + size
    assert depth == 8 and colour in (2, 6), (depth, colour)
    step, raw, rows = 3 if colour == 2 else 4, zlib.decompress(packed), []
    before = bytearray(width * step)
    for y in range(height):
        filter, line = raw[y * (width * step + 1)], bytearray(raw[y * (width * step + 1) + 1:(y + 1) * (width * step + 1)])
        for i in range(len(line)):
            left, up, corner = line[i - step] if i >= step else 0, before[i], before[i - step] if i >= step else 0
            if filter == 1: line[i] = line[i] + left & 255
            elif filter == 2: line[i] = line[i] + up & 255
            elif filter == 3: line[i] = line[i] + (left + up) // 2 & 255
            elif filter == 4:
                p = left + up - corner
                a, b, c = abs(p - left), abs(p - up), abs(p - corner)
                line[i] = line[i] + (left if a <= b and a <= c else up if b <= c else corner) & 255
        rows.append([tuple(line[x * step:x * step + 3]) for x in range(width)])
        before = line
    return rows

def colour(text):
    return tuple(int(text[i:i + 2], 16) for i in (0, 2, 4))

rows = pixels(sys.argv[1])
background, panel = colour(sys.argv[2]), colour(sys.argv[3])
# A panel is a band of lines whose middle part has the panel's colour.
bands, inside = [], None
for y, row in enumerate(rows):
    share = sum(pixel == panel for pixel in row[60:-60:7]) / len(row[60:-60:7])
    if share > 0.3 and inside is None: inside = y
    if row[600] == background and row[300] == background and inside is not None and share == 0:
        if y - inside > 60: bands.append((inside, y))
        inside = None
assert rows[2][2] == background, rows[2][2]
assert len(bands) >= 4, f"{len(bands)} panels: {bands}"
for wanted in map(colour, sys.argv[4:]):
    marked = [any(pixel == wanted for row in rows[a:b] for pixel in row) for a, b in bands]
    assert sum(marked) >= 4, f"{wanted} is in {marked} of the panels {bands}"
ink = [sum(pixel not in (background, panel) for row in rows[a:b] for pixel in row) for a, b in bands]
assert min(ink) > 1000, f"a panel is blank: {ink}"
PYTHON
browse page.html --blink-settings=preferredColorScheme=1 --screenshot="$WORK/light.png" >/dev/null
python3 look.py light.png fbfbf9 ffffff 3563c9 d9780f
browse page.html --blink-settings=preferredColorScheme=0 --screenshot="$WORK/dark.png" >/dev/null
python3 look.py dark.png 15171a 1d2024 7fa6ff ffab52
browse broken.html --blink-settings=preferredColorScheme=0 --screenshot="$WORK/blank.png" >/dev/null
python3 look.py blank.png 15171a 1d2024 7fa6ff ffab52 2>/dev/null && fail "a blank page passes"
exit 0
