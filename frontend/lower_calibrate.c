/* Calibration: the model's forward pass on data, as the graph "calibrate". What is measured in it the pass calibrate adds. */
#include "frontend/lower.h"

static const char *const calibrate_names[] = {"examples"};

void read_calibrate_settings(struct lowering *lowering) {
  const ast_block *block = &lowering->calibrate->body;
  struct calibrate_settings *settings = arena_new_struct(lowering->arena, struct calibrate_settings);
  check_settings(lowering, block, "calibrate", calibrate_names, sizeof calibrate_names / sizeof *calibrate_names);
  settings->examples = setting_integer(lowering, block, "calibrate", "examples", 128, 1, INT32_MAX);
  settings->span = lowering->calibrate->span;
  lowering->program->calibration = settings;
}

void lower_calibrate(struct lowering *lowering) {
  lowering->program->calibrate = begin_graph(lowering, ROUTINE_calibrate);
  lowering->read_averages = true;
  const bool good = lower_forward(lowering);
  if (good) feed_inputs(lowering);
  for (int i = 0; good && i < lowering->outputs.count; i++) add_model_output(lowering, i);
  finish_graph(lowering);
}
