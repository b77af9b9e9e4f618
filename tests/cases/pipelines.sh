#!/usr/bin/env bash
# long
# Every pipeline gives the losses that its class allows: with each pass left out, with none of them, and with each
# parameter at both ends of its range. A pipeline in the spec does the same as that text on the command line.
. "$(dirname "$0")/../lib.sh"

lamella show --stage=passes >passes.txt
mapfile -t passes < <(awk '$2 == "usual" || $2 == "chosen" { print $1 }' passes.txt)
((${#passes[@]} >= 8)) || fail "too few passes: ${passes[*]}"

# with_ends least|most: prints a pipeline in which each parameter of every pass is as small, or as large, as it may be.
with_ends() {
  awk -v end="$1" '
    $2 == "usual" { printf "%s%s%s", open, separator, $1; separator = ", "; open = "" }
    $2 != "=" { usual = $2 == "usual" }
    usual && $2 == "=" { printf "%s%s = %d", open ? ", " : "(", $1, end == "least" ? $4 : $6; open = ")" }
    END { print open }' passes.txt
}
least=$(with_ends least) most=$(with_ends most)
expect_contains "$least" "simplify(rounds = 0)"
expect_contains "$most" "tile(rows = 16, vectors = 8"
pipelines=(default none "none,tile" "$least" "$most")
for pass in "${passes[@]}"; do pipelines+=("-$pass"); done

for model in mlp gpt; do
  for pipeline in "${pipelines[@]}"; do
    [[ $model == gpt || $pipeline == none ]] || { everything && [[ $pipeline == -* ]]; } || continue
    if [[ $model == gpt ]]; then
      lamella build "$GOLDEN/gpt.lam" --passes="$pipeline" --verify -o program
    else
      lamella build "$SPECS/mlp.lam" -D train.steps=3 -D train.log=1 --passes="$pipeline" --verify -o program
      [[ -e mlp.losses ]] || { lamella interpret "$SPECS/mlp.lam" -D train.steps=3 -D train.log=1 train --overwrite --log i.jsonl --out w.safetensors >out.txt; losses i.jsonl >mlp.losses; }
    fi
    ./program train --overwrite --log compiled.jsonl --out w.safetensors >out.txt || { cat out.txt; fail "$model under $pipeline"; }
    losses compiled.jsonl >compiled.txt
    expected=$GOLDEN/gpt.losses
    [[ $model == mlp ]] && expected=mlp.losses
    near "$expected" compiled.txt 1e-5 || fail "$model under the pipeline $pipeline"
  done
done

# Without hoist the encoder runs at each step, and the results are the same.
for pipeline in default -hoist; do
  lamella build "$GOLDEN/translate.lam" --passes="$pipeline" -o program
  [[ -e w2.safetensors ]] || ./program train --overwrite --out w2.safetensors >out.txt
  ./program generate --weights w2.safetensors --source anna --temperature 0 --tokens 8 --quiet >"$pipeline.txt" || fail "generate under $pipeline"
done
cmp default.txt -- -hoist.txt || fail "-hoist changes what is generated"

# The pipeline stands in the spec.
{ sed '/^pipeline/,$d' "$SPECS/linear.lam"; printf 'pipeline {\n  fuse(keep = 3,\n       row = 9)\n  -plan\n  -tile -common; -share\n}\n'; } >linear.lam
lamella show linear.lam --stage=passes >spec.txt
lamella show linear.lam --stage=passes --passes='fuse(3, row = 9), -plan, -tile -common, -share' | diff - spec.txt
expect_equal "$(awk '$2 == "off" { printf "%s ", $1 }' spec.txt)" "common mixed lora prune quantize quantize_cache tile plan share "
grep -q '^  keep     = 3 ' spec.txt || fail "the parameter of the spec's pipeline"
