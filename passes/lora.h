/* Which parameters lora adapts (lora_choose.c), and how graphs read them (lora.c). */
#ifndef PASSES_LORA_H
#define PASSES_LORA_H

#include "passes/pipeline.h"

/* Makes program->adapters by the pipeline's rules and by what the graph, which trains, does with its parameters. False after reporting
   rules that cannot be followed. */
bool choose_adapters(struct program *program, const struct pipeline *pipeline, const struct forward_graph *forward,
                     struct diagnostics *diagnostics);

#endif
