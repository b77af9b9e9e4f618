/* Generation: the model on a window of one axis, as the graph "step". */
#include "frontend/lower.h"

#include <string.h>

static const char *const generate_names[] = {"over", "feed", "from", "start", "stop", "batch"};

static const char *required(struct lowering *lowering, const char *name, struct span *span) {
  const char *value = setting_name(lowering, &lowering->generate->body, "generate", name, span);
  struct found_setting found;
  if (!value && !find_setting(lowering, &lowering->generate->body, "generate", name, &found))
    fail(lowering, lowering->generate->name.span, "generate needs %s",
         !strcmp(name, "over")   ? "'over = seq': the axis that grows"
         : !strcmp(name, "feed") ? "'feed = tokens': the input that takes what was generated"
                                 : "'from = logits': the result to choose from");
  return value;
}

/* Whether the name is that of the axis that generation extends, or of one declared equal to it. */
static bool runs_along(struct lowering *lowering, const char *name, const struct global_axis *grows) {
  const struct global_axis *axis = find_global_axis(lowering, lowering->model_file, name);
  return axis && grows && (axis == grows || axis->root == grows);
}

bool read_generate_settings(struct lowering *lowering) {
  const ast_block *block = &lowering->generate->body;
  struct generate_settings *settings = lowering->program->generation =
      arena_new_struct(lowering->arena, struct generate_settings);
  lowering->frame = frame_new(lowering, lowering->model_file, NULL, "", (struct span){0});
  check_settings(lowering, block, "generate", generate_names, sizeof generate_names / sizeof *generate_names);
  struct span over_span, feed_span, from_span;
  const char *over = required(lowering, "over", &over_span);
  settings->feed = required(lowering, "feed", &feed_span);
  settings->from = required(lowering, "from", &from_span);
  settings->span = lowering->generate->span;
  if (!over || !settings->feed || !settings->from) return false;

  bool good = true;
  const struct ast_item *model = lowering->model;
  struct global_axis *grows = lowering->generate_over = find_global_axis(lowering, lowering->model_file, over);
  const struct axis *axis = grows ? resolve_global_axis(lowering, grows) : NULL;
  if (!grows)
    good = refuse(lowering, over_span, "'over' is an axis declared at the top of the spec, and '%s' is none", over);
  else if (grows->declaration->kind == AXIS_LIKE)
    good = refuse(lowering, over_span, "'over' is the axis itself, and '%s' is declared equal to another", over);
  const struct ast_signature *feed = model_input(lowering, settings->feed);
  names inputs = {0}, results = {0};
  for (int i = 0; i < model->parameters.count; i++)
    array_push(lowering->arena, &inputs, model->parameters.items[i].signature.name.text);
  for (int i = 0; i < model->results.count; i++)
    array_push(lowering->arena, &results, model->results.items[i].name.text);
  if (!feed)
    good = refuse(lowering, feed_span, "model '%s' has no input '%s'%s", model->name.text, settings->feed,
                  suggestion(lowering, settings->feed, &inputs));
  else if (!feed->range.text || feed->dims.count != 1 || feed->dims.items[0].factors.count != 1 ||
           strcmp(feed->dims.items[0].factors.items[0].text, over))
    good = refuse(lowering, feed->span, "generation feeds tokens along '%s': declare the input as %s[%s] in vocab",
                  over, settings->feed, over);
  bool found = false;
  for (int i = 0; i < results.count; i++) found |= !strcmp(results.items[i], settings->from);
  if (!found)
    good = refuse(lowering, from_span, "model '%s' has no result '%s'%s", model->name.text, settings->from,
                  suggestion(lowering, settings->from, &results));
  /* Other inputs are given once, before the first window, so they must not run along the window's axis. */
  for (int i = 0; feed && i < model->parameters.count; i++) {
    const struct ast_signature *signature = &model->parameters.items[i].signature;
    for (int j = 0; j < signature->dims.count && signature != feed; j++)
      for (int k = 0; k < signature->dims.items[j].factors.count; k++)
        if (runs_along(lowering, signature->dims.items[j].factors.items[k].text, grows))
          good = refuse(lowering, signature->span,
                        "input '%s' runs along '%s', which generation extends, and only '%s' is fed",
                        signature->name.text, signature->dims.items[j].factors.items[k].text, settings->feed);
  }
  if (!axis || !good) return false;
  settings->capacity = axis->extent;
  const struct axis *vocabulary = resolve_axis(lowering, feed->range);
  if (!vocabulary) return false;
  settings->vocabulary = vocabulary->extent;
  settings->start = setting_integer(lowering, block, "generate", "start", -1, 0, settings->vocabulary - 1);
  settings->stop = setting_integer(lowering, block, "generate", "stop", -1, 0, settings->vocabulary - 1);
  return true;
}

static void check_from(struct lowering *lowering, const struct generate_settings *settings, const struct value *from,
                       struct axis *window) {
  const struct axis *choices = NULL;
  bool good = from->kind == KIND_REAL && from->axis_count == 3 && value_has_axis(from, window) &&
              value_has_axis(from, lowering->batch);
  for (int i = 0; i < from->axis_count; i++)
    if (from->axes[i] != window && from->axes[i] != lowering->batch) choices = from->axes[i];
  if (!good || !choices || choices->extent != settings->vocabulary)
    fail(lowering, lowering->generate->span,
         "'%s' must hold a real number for each of %lld tokens along '%s', and has %s", settings->from,
         (long long)settings->vocabulary, window->name, shape_text(lowering, from));
}

void lower_generate(struct lowering *lowering) {
  struct graph *graph = begin_graph(lowering, ROUTINE_step);
  const struct generate_settings *settings = lowering->program->generation;
  lowering->frame = frame_new(lowering, lowering->generate_file, NULL, "", (struct span){0});
  lowering->over = lowering->generate_over;
  lowering->program->step = graph;
  lowering->read_averages = true;
  const int64_t batch = setting_integer(lowering, &lowering->generate->body, "generate", "batch", 1, 1, INT32_MAX);
  if (!lowering->batch || lowering->batch->extent != batch)
    lowering->batch = axis_new_batch(graph, batch, lowering->generate->span);
  const char *over = lowering->over->declaration->name.text;
  lowering->window =
      size_new(graph, "window", SIZE_WINDOW, settings->capacity < WINDOW_BOUND ? settings->capacity : WINDOW_BOUND);
  lowering->past = size_new(graph, "past", SIZE_PAST, settings->capacity);
  lowering->window_axis = axis_new_sized(graph, over, lowering->window, lowering->over->declaration->name.span);
  set_origin(lowering, lowering->generate->span);
  struct axis *axes[] = {lowering->batch, lowering->window_axis};
  lowering->run_inputs[RUN_POSITION] = build_input(graph, run_input_names[RUN_POSITION], KIND_INTEGER, NULL, axes, 2);
  if (lower_forward(lowering)) {
    const int from = result_number(lowering, settings->from);
    check_from(lowering, settings, lowering->outputs.items[from].value, lowering->window_axis);
    add_model_output(lowering, from);
    adapt_graph(lowering, false);
  }
  finish_graph(lowering);
  lowering->window = lowering->past = NULL;
  lowering->over = NULL;
}
