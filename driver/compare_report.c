/* Prints the table for people and the file for machines. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "driver/compare.h"

/* A time such as "23.4 ms", in a suitable unit. */
static const char *time_text(struct arena *arena, double seconds) {
  if (seconds < 1e-3) return arena_format(arena, "%.3g us", seconds * 1e6);
  if (seconds < 1) return arena_format(arena, "%.3g ms", seconds * 1e3);
  return arena_format(arena, "%.3g s", seconds);
}

static const char *bytes_text(struct arena *arena, double bytes) {
  if (bytes < 1 << 20) return arena_format(arena, "%.0f KiB", bytes / (1 << 10));
  if (bytes < 1 << 30) return arena_format(arena, "%.3g MiB", bytes / (1 << 20));
  return arena_format(arena, "%.3g GiB", bytes / (1 << 30));
}

static const char *rate_text(struct arena *arena, double rate) {
  if (rate >= 1e6) return arena_format(arena, "%.3gM", rate / 1e6);
  if (rate >= 1e3) return arena_format(arena, "%.3gk", rate / 1e3);
  return arena_format(arena, "%.3g", rate);
}

static bool was_measured(const struct variant *variant) { return variant->step.middle > 0; }

enum { COLUMNS = 10 };

static int print_rows(FILE *file, const char *(*rows)[COLUMNS], int count) {
  int widths[COLUMNS] = {0};
  for (int i = 0; i < count; i++)
    for (int j = 0; j < COLUMNS; j++) {
      int width = (int)strlen(rows[i][j]);
      if (width > widths[j]) widths[j] = width;
    }
  for (int i = 0; i < count; i++) {
    for (int j = 0; j < COLUMNS; j++) {
      bool last = j == COLUMNS - 1;
      if (j == 0)
        fprintf(file, "%-*s", widths[j], rows[i][j]);
      else
        fprintf(file, "  %*s", last ? 0 : widths[j], rows[i][j]);
    }
    fputc('\n', file);
  }
  return count;
}

static void print_verdict(FILE *file, const struct comparison *comparison) {
  const struct variant *fastest = comparison->variants.items[comparison->fastest];
  bool any = false;
  for (int i = 0; i < comparison->variants.count; i++) {
    const struct variant *variant = comparison->variants.items[i];
    if (variant == fastest || !was_measured(variant)) continue;
    any = true;
    if (variant->differs)
      fprintf(file, "%s is %.3g times as fast as %s (%.3g to %.3g, p = %.2g)\n", fastest->name, variant->ratio.middle,
              variant->name, variant->ratio.low, variant->ratio.high, variant->probability);
    else
      fprintf(file, "between %s and %s there is no difference that is more than noise (%.3g to %.3g times, p = %.2g)\n",
              fastest->name, variant->name, variant->ratio.low, variant->ratio.high, variant->probability);
  }
  if (any)
    fprintf(file,
            "Ratios with their %.0f%% intervals. A difference is one of more than %.0f%% of the time, tested at %.0f%% "
            "for all pairs together.\n",
            100 * (1 - comparison->level), 100 * comparison->margin, 100 * comparison->level);
}

/* The step whose losses stand side by side in the table: the one that was asked for, or the last that all variants
   took. */
static int loss_step(const struct comparison *comparison) {
  int step = comparison->loss_steps;
  for (int i = 0; i < comparison->variants.count; i++) {
    const struct variant *variant = comparison->variants.items[i];
    if (was_measured(variant) && (!step || variant->losses.count < step)) step = variant->losses.count;
  }
  return step;
}

void report_table(FILE *file, const struct comparison *comparison) {
  struct arena *arena = comparison->arena;
  const char *(*rows)[COLUMNS] = arena_alloc(arena, sizeof *rows * (size_t)(comparison->variants.count + 1));
  int steps = loss_step(comparison), count = 1;
  const char *unit = "tokens";
  for (int i = 0; i < comparison->variants.count; i++)
    if (was_measured(comparison->variants.items[i])) unit = comparison->variants.items[i]->unit;
  static const char *const heads[COLUMNS] = {"variant", "step",   "95% interval", "time",       NULL,
                                             "compile", "memory", "code",         "difference", NULL};
  for (int j = 0; j < COLUMNS; j++) rows[0][j] = heads[j];
  rows[0][4] = arena_format(arena, "%s/s", unit);
  rows[0][9] = arena_format(arena, "loss at step %d", steps);
  for (int i = 0; i < comparison->variants.count; i++) {
    const struct variant *variant = comparison->variants.items[i];
    const char **row = rows[count];
    row[0] = variant->name;
    for (int j = 1; j < COLUMNS; j++) row[j] = "-";
    count++;
    if (!was_measured(variant)) {
      row[COLUMNS - 1] = "failed";
      continue;
    }
    row[1] = time_text(arena, variant->step.middle);
    row[2] = arena_format(arena, "%.3g-%s",
                          variant->step.low * (variant->step.high < 1e-3 ? 1e6
                                               : variant->step.high < 1  ? 1e3
                                                                         : 1),
                          time_text(arena, variant->step.high));
    row[3] = i == comparison->fastest
                 ? "1"
                 : arena_format(arena, "%s%.3g", variant->differs ? "" : "~", variant->ratio.middle);
    row[4] = rate_text(arena, variant->units / variant->step.middle);
    row[5] = arena_format(arena, "%.2f s", variant->translate_seconds + variant->compile_seconds);
    row[6] = bytes_text(arena, variant->memory);
    row[7] = bytes_text(arena, (double)variant->code_bytes);
    if (variant->accuracy.known)
      row[8] = arena_format(arena, "%.1e, mean %.0e", variant->accuracy.largest, variant->accuracy.mean);
    row[9] = arena_format(arena, "%.6g", variant->losses.items[steps - 1]);
  }
  print_rows(file, rows, count);
  fputc('\n', file);
  if (comparison->fastest >= 0) print_verdict(file, comparison);
  for (int i = 0; i < comparison->oracles.count; i++)
    fprintf(file, "%s %s.\n",
            comparison->oracles.items[i].known ? "Differences, relative to the largest of a tensor, are from"
                                               : "Differences are not known:",
            comparison->oracles.items[i].what);
  fprintf(file, "%d rounds of blocks of %d steps, %d processes each, %d thread%s, seed %llu, %.0f s in all.\n",
          comparison->rounds, comparison->block, comparison->processes, comparison->threads,
          comparison->threads == 1 ? "" : "s", (unsigned long long)comparison->seed, comparison->seconds);
  if (comparison->cut_short)
    fputs("The rounds ended because the time was over; with a longer --time, more differences may show.\n", file);
}

/* --- JSON -------------------------------------------------------------------------------------------------------------------------- */

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

static void put_variant(FILE *file, const struct comparison *comparison, const struct variant *variant) {
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
  if (was_measured(variant)) {
    bool fastest = comparison->variants.items[comparison->fastest] == variant;
    put_field(file, "memory_bytes", variant->memory);
    put_field(file, "units", variant->units);
    fputs(", \"unit\": ", file);
    put_string(file, variant->unit);
    fputs(",\n     \"step_seconds\": {\"median\": ", file);
    put_number(file, variant->step.middle);
    put_field(file, "low", variant->step.low);
    put_field(file, "high", variant->step.high);
    fputs("}, \"time_to_fastest\": {\"ratio\": ", file);
    put_number(file, variant->ratio.middle);
    put_field(file, "low", variant->ratio.low);
    put_field(file, "high", variant->ratio.high);
    put_field(file, "p", variant->probability);
    fprintf(file, ", \"fastest\": %s, \"differs\": %s}", fastest ? "true" : "false",
            variant->differs ? "true" : "false");
    if (variant->accuracy.known) {
      fputs(",\n     \"difference\": {\"largest\": ", file);
      put_number(file, variant->accuracy.largest);
      put_field(file, "mean", variant->accuracy.mean);
      put_field(file, "loss", variant->accuracy.loss);
      fputs(", \"tensor\": ", file);
      put_string(file, variant->accuracy.worst);
      fputc('}', file);
    }
    put_numbers(file, "rounds", variant->blocks.items, variant->blocks.count);
    put_numbers(file, "losses", variant->losses.items, variant->losses.count);
  }
  fputs(",\n     \"kernels\": [", file);
  for (int i = 0; i < variant->kernels.count; i++) {
    const struct kernel_time *kernel = &variant->kernels.items[i];
    fputs(i ? ",\n       {\"name\": " : "\n       {\"name\": ", file);
    put_string(file, kernel->name);
    fputs(", \"where\": ", file);
    put_string(file, kernel->where);
    put_field(file, "seconds", kernel->seconds);
    put_field(file, "calls", kernel->calls);
    fputc('}', file);
  }
  fprintf(file, "],\n     \"launches\": %d, \"memory\": [", variant->launches);
  for (int i = 0; i < variant->lives.count; i++) {
    const struct life *life = &variant->lives.items[i];
    fprintf(file, "%s[%d, %d, %lld, %lld, ", i ? ", " : "", life->first, life->last, (long long)life->offset,
            (long long)life->bytes);
    put_string(file, life->name ? life->name : "");
    fputc(']', file);
  }
  fputs("]}", file);
}

char *report_json(const struct comparison *comparison) {
  char *text = NULL;
  size_t length = 0;
  FILE *file = open_memstream(&text, &length);
  if (!file) bug("no memory for a report");
  fputs("{\"spec\": ", file);
  put_string(file, comparison->options->spec);
  fprintf(file, ", \"threads\": %d, \"rounds\": %d, \"block\": %d, \"processes\": %d, \"seed\": %llu",
          comparison->threads, comparison->rounds, comparison->block, comparison->processes,
          (unsigned long long)comparison->seed);
  put_field(file, "seconds", comparison->seconds);
  fprintf(file, ", \"loss_step\": %d", loss_step(comparison));
  put_field(file, "level", comparison->level);
  put_field(file, "margin", comparison->margin);
  fprintf(file, ", \"fastest\": ");
  if (comparison->fastest >= 0)
    put_string(file, comparison->variants.items[comparison->fastest]->name);
  else
    fputs("null", file);
  fputs(",\n \"differences_from\": ", file);
  put_string(file, comparison->oracles.count ? comparison->oracles.items[0].what : "");
  fputs(",\n \"variants\": [\n", file);
  for (int i = 0; i < comparison->variants.count; i++) {
    if (i) fputs(",\n", file);
    put_variant(file, comparison, comparison->variants.items[i]);
  }
  fputs("\n  ]}\n", file);
  if (fclose(file) != 0) bug("no memory for a report");
  return text;
}
