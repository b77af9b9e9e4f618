/* The reports for machines. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "driver/compare.h"

static void put_string(FILE *file, const char *text) {
  fputc('"', file);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\')
      fprintf(file, "\\%c", *text);
    else if ((unsigned char)*text < 32)
      fprintf(file, "\\u%04x", (unsigned char)*text);
    else
      fputc(*text, file);
  }
  fputc('"', file);
}

static void put_number(FILE *file, double number) {
  if (isfinite(number))
    fprintf(file, "%.9g", number);
  else
    fputs("null", file);
}

static void put_numbers(FILE *file, const char *key, const double *numbers, int count) {
  fprintf(file, ",\n     \"%s\": [", key);
  for (int i = 0; i < count; i++) {
    if (i) fputs(", ", file);
    put_number(file, numbers[i]);
  }
  fputc(']', file);
}

static void put_field(FILE *file, const char *key, double number) {
  fprintf(file, ", \"%s\": ", key);
  put_number(file, number);
}

static bool was_measured(const struct variant *variant) { return variant->timing->step.middle > 0; }

/* What was timed in the present race. */
static void put_timing(FILE *file, const struct comparison *comparison, const struct variant *variant) {
  const struct timing *timing = variant->timing;
  if (was_measured(variant)) {
    bool fastest = comparison->variants.items[comparison->race->fastest] == variant;
    put_field(file, "memory_bytes", timing->memory);
    put_field(file, "units", timing->units);
    fputs(", \"unit\": ", file);
    put_string(file, timing->unit);
    fputs(",\n     \"step_seconds\": {\"median\": ", file);
    put_number(file, timing->step.middle);
    put_field(file, "low", timing->step.low);
    put_field(file, "high", timing->step.high);
    fputs("}, \"time_to_fastest\": {\"ratio\": ", file);
    put_number(file, timing->ratio.middle);
    put_field(file, "low", timing->ratio.low);
    put_field(file, "high", timing->ratio.high);
    put_field(file, "p", timing->probability);
    fprintf(file, ", \"fastest\": %s, \"differs\": %s}", fastest ? "true" : "false",
            timing->differs ? "true" : "false");
    put_numbers(file, "rounds", timing->blocks.items, timing->blocks.count);
  }
  fputs(",\n     \"kernels\": [", file);
  for (int i = 0; i < timing->kernels.count; i++) {
    const struct kernel_time *kernel = &timing->kernels.items[i];
    fputs(i ? ",\n       {\"name\": " : "\n       {\"name\": ", file);
    put_string(file, kernel->name);
    fputs(", \"where\": ", file);
    put_string(file, kernel->where);
    put_field(file, "seconds", kernel->seconds);
    put_field(file, "calls", kernel->calls);
    fputc('}', file);
  }
  fputc(']', file);
}

/* The loss of the weights, and their bytes by storage. */
static void put_quality(FILE *file, const struct comparison *comparison, const struct variant *variant) {
  const struct evaluation *first = &comparison->variants.items[0]->evaluation;
  put_field(file, "loss", variant->evaluation.loss);
  put_field(file, "loss_difference", variant->evaluation.loss - first->loss);
  put_field(file, "loss_difference_error", difference_error(&variant->evaluation, first));
  const char *before = ",\n     \"weight_bytes\": {";
  for (int i = 0; i < STORAGE_COUNT; i++) {
    if (!(variant->weight_bytes[i] > 0)) continue;
    fprintf(file, "%s\"%s\": %.0f", before, storage_names[i], variant->weight_bytes[i]);
    before = ", ";
  }
  fputs(*before == ',' && before[1] == ' ' ? "}" : ",\n     \"weight_bytes\": {}", file);
}

static void put_variant(FILE *file, struct comparison *comparison, const struct variant *variant) {
  fputs("    {\"name\": ", file);
  put_string(file, variant->name);
  fputs(", \"passes\": ", file);
  put_string(file, variant->options.passes.pipeline ? variant->options.passes.pipeline : "");
  fputs(", \"target\": ", file);
  put_string(file, variant->options.passes.target->name);
  fprintf(file, ", \"level\": %d", variant->options.level);
  if (variant->failure) {
    fputs(", \"failure\": ", file);
    put_string(file, variant->failure);
  }
  put_field(file, "translate_seconds", variant->translate_seconds);
  put_field(file, "compile_seconds", variant->compile_seconds);
  put_field(file, "code_bytes", (double)variant->code_bytes);
  put_field(file, "source_lines", (double)variant->source_lines);
  put_field(file, "activation_bytes", (double)variant->activation_bytes);
  if (comparison->weights) put_quality(file, comparison, variant);
  if (variant->accuracy.known) {
    fputs(",\n     \"difference\": {\"largest\": ", file);
    put_number(file, variant->accuracy.largest);
    put_field(file, "mean", variant->accuracy.mean);
    put_field(file, "loss", variant->accuracy.loss);
    fputs(", \"tensor\": ", file);
    put_string(file, variant->accuracy.worst);
    fputc('}', file);
  }
  if (!comparison->weights && was_measured(variant))
    put_numbers(file, "losses", variant->losses.items, variant->losses.count);
  put_timing(file, comparison, variant);
  for (int i = 1; i < comparison->race_count; i++) {
    enter_race(comparison, i);
    fprintf(file, "%s{\"verb\": \"%s\"", i == 1 ? ",\n     \"more\": [" : ",\n      ",
            work_facts[comparison->race->work].verb);
    put_timing(file, comparison, variant);
    fputc('}', file);
  }
  if (comparison->race_count > 1) fputc(']', file);
  enter_race(comparison, 0);
  fprintf(file, ",\n     \"launches\": %d, \"memory\": [", variant->launches);
  for (int i = 0; i < variant->lives.count; i++) {
    const struct life *life = &variant->lives.items[i];
    fprintf(file, "%s[%d, %d, %lld, %lld, ", i ? ", " : "", life->first, life->last, (long long)life->offset,
            (long long)life->bytes);
    put_string(file, life->name ? life->name : "");
    fputc(']', file);
  }
  fputs("]}", file);
}

/* The name of variant number `i`, or null. */
static void put_name(FILE *file, const char *key, const struct comparison *comparison, int i) {
  fprintf(file, ", \"%s\": ", key);
  if (i >= 0)
    put_string(file, comparison->variants.items[i]->name);
  else
    fputs("null", file);
}

static FILE *begin_text(char **text, size_t *length) {
  FILE *file = open_memstream(text, length);
  if (!file) bug("no memory for a report");
  return file;
}

static void end_text(FILE *file) {
  if (fclose(file) != 0) bug("no memory for a report");
}

static void put_weights(FILE *file, const struct comparison *comparison, int64_t examples) {
  fputs(", \"weights\": ", file);
  put_string(file, comparison->weights);
  fprintf(file, ", \"examples\": %lld, \"validation\": %s", (long long)examples,
          comparison->is_validation ? "true" : "false");
}

char *report_json(struct comparison *comparison) {
  char *text = NULL;
  size_t length = 0;
  FILE *file = begin_text(&text, &length);
  enter_race(comparison, 0);
  const struct race *race = comparison->race;
  fputs("{\"spec\": ", file);
  put_string(file, comparison->options->spec);
  fprintf(file, ", \"verb\": \"%s\", \"threads\": %d, \"rounds\": %d, \"block\": %d, \"processes\": %d, \"seed\": %llu",
          work_facts[race->work].verb, comparison->threads, race->rounds, race->block, race->processes,
          (unsigned long long)comparison->seed);
  put_field(file, "seconds", comparison->seconds);
  if (comparison->weights)
    put_weights(file, comparison, comparison->variants.items[0]->evaluation.examples);
  else
    fprintf(file, ", \"loss_step\": %d", loss_step(comparison));
  put_field(file, "level", comparison->level);
  put_field(file, "margin", comparison->margin);
  put_name(file, "fastest", comparison, race->fastest);
  if (comparison->limit) {
    fputs(", \"max_loss\": ", file);
    put_string(file, comparison->limit);
    put_name(file, "chosen", comparison, comparison->chosen);
  }
  fputs(",\n \"differences_from\": ", file);
  put_string(file, comparison->weights         ? comparison->variants.items[0]->name
                   : comparison->oracles.count ? comparison->oracles.items[0].what
                                               : "");
  fputs(",\n \"variants\": [\n", file);
  for (int i = 0; i < comparison->variants.count; i++) {
    if (i) fputs(",\n", file);
    put_variant(file, comparison, comparison->variants.items[i]);
  }
  fputs("\n  ]}\n", file);
  end_text(file);
  return text;
}

char *report_layers_json(const struct comparison *comparison, const struct layers *layers) {
  char *text = NULL;
  size_t length = 0;
  FILE *file = begin_text(&text, &length);
  fputs("{\"spec\": ", file);
  put_string(file, comparison->options->spec);
  put_weights(file, comparison, layers->examples);
  put_field(file, "loss", layers->loss);
  put_field(file, "limit", layers->limit);
  put_field(file, "bytes", layers->bytes);
  fputs(",\n \"proposal\": ", file);
  if (layers->proposal) {
    fputs("{\"passes\": ", file);
    put_string(file, layers->proposal);
    put_field(file, "loss", layers->proposal_loss);
    put_field(file, "difference_error", layers->proposal_error);
    put_field(file, "bytes", layers->proposal_bytes);
    fputc('}', file);
  } else {
    fputs("null", file);
  }
  fputs(",\n \"parameters\": [\n", file);
  for (int i = 0; i < layers->items.count; i++) {
    const struct layer *layer = &layers->items.items[i];
    fputs(i ? ",\n  {\"name\": " : "  {\"name\": ", file);
    put_string(file, layer->name);
    put_field(file, "bytes", layer->bytes);
    fputs(", \"proposed\": ", file);
    if (layer->chosen >= 0)
      put_string(file, layers->rules.items[layer->chosen]);
    else
      fputs("null", file);
    fputs(", \"trials\": [", file);
    for (int r = 0; r < layers->rules.count; r++) {
      fputs(r ? ", {\"rule\": " : "{\"rule\": ", file);
      put_string(file, layers->rules.items[r]);
      put_field(file, "loss", layer->trials[r].loss);
      put_field(file, "difference", layer->trials[r].loss - layers->loss);
      put_field(file, "difference_error", layer->trials[r].error);
      put_field(file, "bytes", layer->trials[r].bytes);
      fputc('}', file);
    }
    fputs("]}", file);
  }
  fputs("\n  ]}\n", file);
  end_text(file);
  return text;
}

bool write_reports(const struct comparison *comparison, char *json) {
  const struct options *options = comparison->options;
  bool good = true;
  if (options->json && !strcmp(options->json, "-"))
    fputs(json, stdout);
  else if (options->json)
    good = write_file(options->json, json);
  if (options->page) good = write_file(options->page, report_page(comparison, json)) && good;
  free(json);
  return good;
}
