/* The text of a pipeline: which passes it turns on, and the messages for texts without a meaning. */
#include "passes/pipeline.h"
#include "tests/unit/check.h"

/* Lists the passes that may be left out and are on, and the first error. */
static const char *parse(struct arena *arena, const char *text) {
  struct program program = {.arena = arena};
  struct pass_options options = {.pipeline = text};
  struct diagnostics *diagnostics = diagnostics_new(arena);
  struct pipeline pipeline;
  if (!pipeline_parse(&program, &options, diagnostics, &pipeline)) return diagnostics->messages.items[0];
  CHECK(diagnostics->error_count == 0);
  const char *on = "";
  for (int i = 0; i < PASS_COUNT; i++) {
    if (pass_facts[i].when == PASS_ALWAYS) CHECK(pipeline.on[i]);
    if (pass_facts[i].when == PASS_ALWAYS || !pipeline.on[i]) continue;
    on = arena_format(arena, "%s%s%s", on, *on ? " " : "", pass_facts[i].name);
    for (int j = 0; j < PARAMETER_COUNT; j++)
      if ((int)parameter_facts[j].pass == i && pipeline.parameters[j] != parameter_facts[j].usual)
        on = arena_format(arena, "%s(%s %g)", on, parameter_facts[j].name, pipeline.parameters[j]);
  }
  return on;
}

static void check_spec(struct arena *arena) {
  struct source *source = source_from_text(arena, "x.lam", "pipeline { -plan; fuze }\n");
  struct program program = {.arena = arena};
  array_push(arena, &program.pipeline, (struct setting){"-plan", {source, 11, 16}});
  struct pass_options options = {0};
  struct pipeline pipeline;
  CHECK(pipeline_parse(&program, &options, diagnostics_new(arena), &pipeline));
  CHECK(!pipeline.on[PASS_plan] && pipeline.on[PASS_common] && pipeline.on[PASS_fuse]);
  CHECK(pipeline_class(&pipeline) == PASS_REASSOCIATES);
  array_push(arena, &program.pipeline, (struct setting){"fuze", {source, 18, 22}});
  struct diagnostics *diagnostics = diagnostics_new(arena);
  CHECK(!pipeline_parse(&program, &options, diagnostics, &pipeline));
  CHECK_STRING(
      diagnostics->messages.items[0],
      "x.lam:1:19: error: no pass is called 'fuze'; did you mean 'fuse'?\n  pipeline { -plan; fuze }\n             "
      "       ^~~~\n");
}

/* Each item of a pass of rules has parameters and patterns of its own, and the last that matches a name counts. */
static void check_rules(struct arena *arena) {
  struct program program = {.arena = arena};
  struct pass_options options = {
      .pipeline = "quantize(i4, \"h.*\", group = 64,\"wte\"), quantize(activations=i8), quantize(\"h.1.*\")"};
  struct pipeline pipeline;
  CHECK(pipeline_parse(&program, &options, diagnostics_new(arena), &pipeline));
  CHECK(pipeline.on[PASS_quantize] && pipeline.rules.count == 3 && pipeline.rules.items[0].patterns.count == 2);
  const struct pass_rule *rules = pipeline.rules.items;
  CHECK(rules[0].parameters[PARAMETER_quantize_weights] == 1 && rules[0].parameters[PARAMETER_quantize_group] == 64);
  CHECK(rules[1].parameters[PARAMETER_quantize_activations] == 1 &&
        rules[1].parameters[PARAMETER_quantize_weights] == 0);
  CHECK_STRING(rules[0].patterns.items[1].text, "wte");
  CHECK(pipeline_rule(&pipeline, PASS_quantize, "h.1.weight", true) == &rules[2]);
  CHECK(pipeline_rule(&pipeline, PASS_quantize, "h.0.weight", false) == &rules[0]);
  CHECK(pipeline_rule(&pipeline, PASS_quantize, "h.0.weight", true) == &rules[1]);
  CHECK(pipeline_rule(&pipeline, PASS_quantize, "wpe", false) == NULL);
  CHECK(pipeline_class(&pipeline) == PASS_APPROXIMATES);
}

static void check_broken_dump(struct arena *arena) {
  struct program program = {.arena = arena};
  struct pass_options options = {.dump_after = "autodif"};
  struct diagnostics *diagnostics = diagnostics_new(arena);
  CHECK(!run_graph_passes(&program, &options, diagnostics));
  CHECK_STRING(
      diagnostics->messages.items[0],
      "--dump-after:1:1: error: no pass is called 'autodif'; did you mean 'autodiff'?\n  autodif\n  ^~~~~~~\n");
}

int main(void) {
  struct arena *arena = arena_new();
  const char *usual = "simplify common derive hoist fuse stream tile parallel plan share";
  const char *usual_and_mixed = "simplify common mixed derive hoist fuse stream tile parallel plan share";
  CHECK_STRING(parse(arena, NULL), usual);
  CHECK_STRING(parse(arena, "default"), usual);
  CHECK_STRING(parse(arena, ""), usual);
  CHECK_STRING(parse(arena, "fuse"), usual);
  CHECK_STRING(parse(arena, "none, default"), usual);
  CHECK_STRING(parse(arena, "none"), "");
  CHECK_STRING(parse(arena, " none , fuse "), "fuse");
  CHECK_STRING(parse(arena, "-fuse, -plan -tile"), "simplify common derive hoist stream parallel share");
  CHECK_STRING(parse(arena, "none,simplify(rounds = 3)"), "simplify(rounds 3)");
  CHECK_STRING(parse(arena, "none,simplify(2),fuse"), "simplify(rounds 2) fuse");
  CHECK_STRING(parse(arena, "none, tile(4, tasks=1,\n depth = 64)"), "tile(rows 4)(depth 64)(tasks 1)");
  CHECK_STRING(parse(arena, "none, mixed"), "mixed");
  CHECK_STRING(parse(arena, "none, mixed(bf16)"), "mixed");
  CHECK_STRING(parse(arena, "none, mixed( f16 )"), "mixed(storage 1)");
  CHECK_STRING(parse(arena, "none, mixed(storage=f16), -mixed"), "");
  CHECK_STRING(parse(arena, "none, mixed(masters = 0)"), "mixed(masters 0)");
  CHECK_STRING(parse(arena, "none, mixed(bf16, 0)"), "mixed(masters 0)");
  CHECK_STRING(parse(arena, "none, quantize"), "quantize");
  CHECK_STRING(parse(arena, "none, quantize(i4), quantize, -quantize"), "");
  check_rules(arena);
  CHECK_STRING(parse(arena, "fuse,plann"),
               "--passes:1:6: error: no pass is called 'plann'; did you mean 'plan'?\n  fuse,plann\n       ^~~~~\n");
  CHECK_STRING(parse(arena, "fuse plan"),
               "--passes:1:6: error: ',' is expected between passes\n  fuse plan\n       ^\n");
  CHECK_STRING(parse(arena, "fuse,,plan"),
               "--passes:1:6: error: a pass is expected here, such as fuse or -plan\n  fuse,,plan\n       ^\n");
  CHECK_STRING(parse(arena, "share(1)"), "--passes:1:7: error: share takes no parameters\n  share(1)\n        ^\n");
  CHECK_STRING(parse(arena, "share(x = 1)"),
               "--passes:1:7: error: share takes no parameters\n  share(x = 1)\n        ^\n");
  CHECK_STRING(
      parse(arena, "simplify(round = 1)"),
      "--passes:1:10: error: no parameter of simplify is called 'round'; did you mean 'rounds'?\n  simplify(round "
      "= 1)\n           ^~~~~\n");
  CHECK_STRING(parse(arena, "simplify(many)"),
               "--passes:1:10: error: rounds of simplify must be a whole number from 0 to 1000 (how often it goes over "
               "the graph at "
               "most)\n  simplify(many)\n           ^~~~\n");
  CHECK_STRING(parse(arena, "simplify(rounds = 1.5)"),
               "--passes:1:19: error: rounds of simplify must be a whole number from 0 to 1000 (how often it goes over "
               "the graph at "
               "most)\n  simplify(rounds = 1.5)\n                    ^~~\n");
  CHECK_STRING(
      parse(arena, "simplify(1001)"),
      "--passes:1:10: error: rounds of simplify must be from 0 to 1000 (how often it goes over the graph at most)\n  "
      "simplify(1001)\n           ^~~~\n");
  CHECK_STRING(
      parse(arena, "simplify(-1)"),
      "--passes:1:10: error: rounds of simplify must be from 0 to 1000 (how often it goes over the graph at most)\n  "
      "simplify(-1)\n           ^~\n");
  CHECK_STRING(parse(arena, "simplify(nan)"),
               "--passes:1:10: error: rounds of simplify must be a whole number from 0 to 1000 (how often it goes over "
               "the graph at "
               "most)\n  simplify(nan)\n           ^~~\n");
  CHECK_STRING(parse(arena, "simplify(1, 2)"),
               "--passes:1:13: error: simplify takes 1 parameter\n  simplify(1, 2)\n              ^\n");
  CHECK_STRING(
      parse(arena, "simplify(1, rounds = 2)"),
      "--passes:1:13: error: rounds of simplify is given twice\n  simplify(1, rounds = 2)\n              ^~~~~~\n");
  CHECK_STRING(parse(arena, "simplify(1"),
               "--passes:1:11: error: ',' or ')' is expected here\n  simplify(1\n            ^\n");
  CHECK_STRING(
      parse(arena, "mixed(bf6)"),
      "--passes:1:7: error: storage of mixed cannot be 'bf6'; did you mean 'bf16'?\n  mixed(bf6)\n        ^~~\n");
  CHECK_STRING(parse(arena, "mixed(storage = 3)"),
               "--passes:1:17: error: storage of mixed must be bf16 or f16 (what is multiplied, and saved for the "
               "backward pass; f16 also scales the loss)\n  mixed(storage = 3)\n                  ^\n");
  CHECK_STRING(parse(arena, "mixed()"), usual_and_mixed);
  CHECK_STRING(parse(arena, "derive(kept = 0)"),
               "--passes:1:8: error: no parameter of derive is called 'kept'; there are packed, bitmap\n"
               "  derive(kept = 0)\n         ^~~~\n");
  CHECK_STRING(parse(arena, "mixed(bf16, 1, 1)"),
               "--passes:1:16: error: mixed takes 2 parameters\n  mixed(bf16, 1, 1)\n                 ^\n");
  CHECK_STRING(parse(arena, "-autodiff"),
               "--passes:1:2: error: autodiff cannot be left out: every program needs it\n  -autodiff\n   ^~~~~~~~\n");
  check_spec(arena);
  check_broken_dump(arena);
  arena_free(arena);
  return check_done("pipeline");
}
