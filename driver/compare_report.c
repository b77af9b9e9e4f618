/* Prints the tables for people. */
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
  if (!isfinite(bytes)) return "-";
  if (bytes < 1 << 10) return arena_format(arena, "%.0f B", bytes);
  if (bytes < 10 << 10) return arena_format(arena, "%.3g KiB", bytes / (1 << 10));
  if (bytes < 1 << 20) return arena_format(arena, "%.0f KiB", bytes / (1 << 10));
  if (bytes < 1 << 30) return arena_format(arena, "%.3g MiB", bytes / (1 << 20));
  return arena_format(arena, "%.3g GiB", bytes / (1 << 30));
}

static const char *rate_text(struct arena *arena, double rate) {
  if (rate >= 1e6) return arena_format(arena, "%.3gM", rate / 1e6);
  if (rate >= 1e3) return arena_format(arena, "%.3gk", rate / 1e3);
  return arena_format(arena, "%.3g", rate);
}

static bool was_measured(const struct variant *variant) { return variant->timing->step.middle > 0; }

/* --- Tables ------------------------------------------------------------------------------------------------------- */

enum { COLUMNS = 16 };

struct sheet {
  struct arena *arena;
  int columns;
  ARRAY(const char **) rows; /* the first has the heads */
};

static const char **add_row(struct sheet *sheet) {
  const char **row = arena_new_array(sheet->arena, const char *, COLUMNS);
  for (int j = 0; j < COLUMNS; j++) row[j] = "-";
  array_push(sheet->arena, &sheet->rows, row);
  return row;
}

static void add_heads(struct sheet *sheet, const char *const *heads, int count) {
  const char **row = add_row(sheet);
  for (int j = 0; j < count; j++) row[j] = heads[j];
  sheet->columns = count;
}

/* The first column begins at the left, others end at the right; the last is of any width. */
static void print_sheet(FILE *file, const struct sheet *sheet) {
  int widths[COLUMNS] = {0};
  for (int i = 0; i < sheet->rows.count; i++)
    for (int j = 0; j < sheet->columns; j++) {
      int width = (int)strlen(sheet->rows.items[i][j]);
      if (width > widths[j]) widths[j] = width;
    }
  for (int i = 0; i < sheet->rows.count; i++) {
    for (int j = 0; j < sheet->columns; j++) {
      if (j == 0)
        fprintf(file, "%-*s", widths[j], sheet->rows.items[i][j]);
      else
        fprintf(file, "  %*s", j == sheet->columns - 1 ? 0 : widths[j], sheet->rows.items[i][j]);
    }
    fputc('\n', file);
  }
}

/* --- What was timed ----------------------------------------------------------------------------------------------- */

static void print_verdict(FILE *file, const struct comparison *comparison) {
  const struct variant *fastest = comparison->variants.items[comparison->race->fastest];
  bool any = false;
  for (int i = 0; i < comparison->variants.count; i++) {
    const struct variant *variant = comparison->variants.items[i];
    if (variant == fastest || !was_measured(variant)) continue;
    any = true;
    if (variant->timing->differs)
      fprintf(file, "%s is %.3g times as fast as %s (%.3g to %.3g, p = %.2g)\n", fastest->name,
              variant->timing->ratio.middle, variant->name, variant->timing->ratio.low, variant->timing->ratio.high,
              variant->timing->probability);
    else
      fprintf(file, "between %s and %s there is no difference that is more than noise (%.3g to %.3g times, p = %.2g)\n",
              fastest->name, variant->name, variant->timing->ratio.low, variant->timing->ratio.high,
              variant->timing->probability);
  }
  if (any)
    fprintf(file,
            "Ratios with their %.0f%% intervals. A difference is one of more than %.0f%% of the time, tested at %.0f%% "
            "for all pairs together.\n",
            100 * (1 - comparison->level), 100 * comparison->margin, 100 * comparison->level);
}

int loss_step(const struct comparison *comparison) {
  int step = comparison->loss_steps;
  for (int i = 0; i < comparison->variants.count; i++) {
    const struct variant *variant = comparison->variants.items[i];
    if (was_measured(variant) && (!step || variant->losses.count < step)) step = variant->losses.count;
  }
  return step;
}

static const char *unit_of(const struct comparison *comparison) {
  const char *unit = "tokens";
  for (int i = 0; i < comparison->variants.count; i++)
    if (was_measured(comparison->variants.items[i])) unit = comparison->variants.items[i]->timing->unit;
  return unit;
}

/* The first cells of a row: the time of a step, its interval, its ratio to the fastest, and how much is done in a second. */
static void put_times(struct arena *arena, const struct comparison *comparison, const struct variant *variant,
                      const char **cells) {
  const struct timing *timing = variant->timing;
  const bool fastest = comparison->variants.items[comparison->race->fastest] == variant;
  cells[0] = time_text(arena, timing->step.middle);
  cells[1] = arena_format(arena, "%.3g-%s",
                          timing->step.low * (timing->step.high < 1e-3 ? 1e6
                                              : timing->step.high < 1  ? 1e3
                                                                       : 1),
                          time_text(arena, timing->step.high));
  cells[2] = fastest ? "1" : arena_format(arena, "%s%.3g", timing->differs ? "" : "~", timing->ratio.middle);
  cells[3] = rate_text(arena, timing->units / timing->step.middle);
}

static const char *accuracy_text(struct arena *arena, const struct variant *variant) {
  if (!variant->accuracy.known) return "-";
  return arena_format(arena, "%.1e, mean %.0e", variant->accuracy.largest, variant->accuracy.mean);
}

static void report_training(FILE *file, const struct comparison *comparison) {
  struct arena *arena = comparison->arena;
  struct sheet sheet = {.arena = arena};
  int steps = loss_step(comparison);
  const char *heads[] = {
      "variant", "step",   "95% interval", "time",       arena_format(arena, "%s/s", unit_of(comparison)),
      "compile", "memory", "code",         "difference", arena_format(arena, "loss at step %d", steps)};
  add_heads(&sheet, heads, sizeof heads / sizeof *heads);
  for (int i = 0; i < comparison->variants.count; i++) {
    const struct variant *variant = comparison->variants.items[i];
    const char **row = add_row(&sheet);
    row[0] = variant->name;
    if (!was_measured(variant)) {
      row[9] = "failed";
      continue;
    }
    put_times(arena, comparison, variant, row + 1);
    row[5] = arena_format(arena, "%.2f s", variant->translate_seconds + variant->compile_seconds);
    row[6] = bytes_text(arena, variant->timing->memory);
    row[7] = bytes_text(arena, (double)variant->code_bytes);
    row[8] = accuracy_text(arena, variant);
    row[9] = arena_format(arena, "%.6g", variant->losses.items[steps - 1]);
  }
  print_sheet(file, &sheet);
}

/* --- The loss of weights ------------------------------------------------------------------------------------------ */

/* "+0.0066 +/- 0.0004 (+0.19%)" */
static const char *loss_difference(struct arena *arena, double loss, double from, double error) {
  const double difference = loss - from;
  if (!isfinite(difference)) return "-";
  const char *text = arena_format(arena, "%+.2g", difference);
  if (isfinite(error)) text = arena_format(arena, "%s +/- %.1g", text, error);
  return fabs(from) > 0 ? arena_format(arena, "%s (%+.2g%%)", text, 100 * difference / fabs(from)) : text;
}

static const char *variant_difference(struct arena *arena, const struct variant *variant, const struct variant *first) {
  return loss_difference(arena, variant->evaluation.loss, first->evaluation.loss,
                         difference_error(&variant->evaluation, &first->evaluation));
}

static double all_weights(const struct variant *variant) {
  double bytes = 0;
  for (int i = 0; i < STORAGE_COUNT; i++) bytes += variant->weight_bytes[i];
  return bytes;
}

static void print_data(FILE *file, const struct comparison *comparison, int64_t examples) {
  fprintf(file, "%s of %lld examples, with the weights %s\n\n", comparison->is_validation ? "Validation loss" : "Loss",
          (long long)examples, comparison->weights);
}

static bool knows_outputs(const struct comparison *comparison) {
  for (int i = 0; i < comparison->variants.count; i++)
    if (comparison->variants.items[i]->accuracy.known) return true;
  return false;
}

static void report_quality(FILE *file, const struct comparison *comparison) {
  struct arena *arena = comparison->arena;
  struct sheet sheet = {.arena = arena};
  const struct variant *first = comparison->variants.items[0];
  const char *heads[COLUMNS] = {"variant", "loss", "difference", "compile", "code", "weights"};
  const bool outputs = knows_outputs(comparison);
  int count = 6, columns[STORAGE_COUNT] = {0};
  for (int storage = 0; storage < STORAGE_COUNT && count < COLUMNS - 1; storage++)
    for (int i = 0; i < comparison->variants.count; i++) {
      if (columns[storage] || !(comparison->variants.items[i]->weight_bytes[storage] > 0)) continue;
      columns[storage] = count;
      heads[count++] = storage_names[storage];
    }
  if (outputs) heads[count] = "outputs differ by";
  add_heads(&sheet, heads, count + outputs);
  for (int i = 0; i < comparison->variants.count; i++) {
    const struct variant *variant = comparison->variants.items[i];
    const char **row = add_row(&sheet);
    row[0] = variant->name;
    if (isfinite(variant->evaluation.loss))
      row[1] = arena_format(arena, "%.6f", variant->evaluation.loss);
    else
      row[1] = variant->failure ? "failed" : arena_format(arena, "%g", variant->evaluation.loss);
    if (variant != first) row[2] = variant_difference(arena, variant, first);
    row[3] = arena_format(arena, "%.2f s", variant->translate_seconds + variant->compile_seconds);
    row[4] = bytes_text(arena, (double)variant->code_bytes);
    row[5] = bytes_text(arena, all_weights(variant));
    for (int storage = 0; storage < STORAGE_COUNT; storage++)
      if (columns[storage] && variant->weight_bytes[storage] > 0)
        row[columns[storage]] = bytes_text(arena, variant->weight_bytes[storage]);
    if (outputs) row[count] = accuracy_text(arena, variant);
  }
  print_data(file, comparison, first->evaluation.examples);
  print_sheet(file, &sheet);
}

/* The times of the present race, of variants that predict. */
static void report_race(FILE *file, const struct comparison *comparison) {
  struct arena *arena = comparison->arena;
  struct sheet sheet = {.arena = arena};
  const struct work_facts *work = &work_facts[comparison->race->work];
  const char *heads[] = {
      work->verb, work->once, "95% interval", "time", arena_format(arena, "%s/s", unit_of(comparison)), "memory"};
  add_heads(&sheet, heads, sizeof heads / sizeof *heads);
  for (int i = 0; i < comparison->variants.count; i++) {
    const struct variant *variant = comparison->variants.items[i];
    const char **row = add_row(&sheet);
    row[0] = variant->name;
    if (was_measured(variant))
      put_times(arena, comparison, variant, row + 1), row[5] = bytes_text(arena, variant->timing->memory);
    else
      row[5] = "failed";
  }
  print_sheet(file, &sheet);
}

static void print_chosen(FILE *file, struct comparison *comparison) {
  if (!comparison->limit) return;
  const struct variant *first = comparison->variants.items[0];
  enter_race(comparison, 0);
  const char *verb = work_facts[comparison->race->work].verb;
  if (comparison->chosen < 0) {
    fprintf(file, "\nNo variant is chosen by --max-loss=%s, since the loss of %s is not known or was not measured.\n",
            comparison->limit, first->name);
    return;
  }
  const struct variant *chosen = comparison->variants.items[comparison->chosen];
  int within = 0;
  for (int i = 1; i < comparison->variants.count; i++)
    within += comparison->variants.items[i]->evaluation.loss <= loss_limit(comparison, first->evaluation.loss);
  if (chosen == first)
    fprintf(file, "\n%s stays the choice by --max-loss=%s: %s.\n", first->name, comparison->limit,
            within ? "those whose loss is within the limit are not faster"
                   : "no other variant has a loss within the limit");
  else
    fprintf(file, "\n%s is the fastest by %s whose loss is within --max-loss=%s of that of %s: %s, and %s.\n",
            chosen->name, verb, comparison->limit, first->name, variant_difference(comparison->arena, chosen, first),
            !was_measured(first) ? "the latter has no time"
            : variants_differ(comparison, chosen, first)
                ? arena_format(comparison->arena, "%.3g times as fast",
                               first->timing->ratio.middle / chosen->timing->ratio.middle)
                : "as fast but for noise");
}

/* How it was measured. */
static void print_method(FILE *file, const struct comparison *comparison) {
  for (int i = 0; i < comparison->oracles.count; i++)
    fprintf(file, "%s %s.\n",
            comparison->oracles.items[i].known ? "Differences, relative to the largest of a tensor, are from"
                                               : "Differences are not known:",
            comparison->oracles.items[i].what);
  if (comparison->weights)
    fputs(
        "\nWeights are the bytes that the timed routines read. A difference of losses has its standard error, by "
        "batches.\n",
        file);
  if (comparison->weights && knows_outputs(comparison))
    fprintf(file, "Outputs differ from those of %s for the first examples, relative to the largest of a tensor.\n",
            comparison->variants.items[0]->name);
  bool cut_short = false;
  for (int i = 0; i < comparison->race_count; i++) {
    const struct race *race = &comparison->races[i];
    cut_short |= race->cut_short;
    if (comparison->weights) fprintf(file, "%s: ", work_facts[race->work].verb);
    fprintf(file, "%d rounds of blocks of %d %s, %d process%s each%s", race->rounds, race->block,
            work_facts[race->work].many, race->processes, race->processes == 1 ? "" : "es",
            i + 1 < comparison->race_count ? ". " : ", ");
  }
  fprintf(file, "%d thread%s, seed %llu, %.0f s in all.\n", comparison->threads, comparison->threads == 1 ? "" : "s",
          (unsigned long long)comparison->seed, comparison->seconds);
  if (cut_short)
    fputs("The rounds ended because the time was over; with a longer --time, more differences may show.\n", file);
}

void report_table(FILE *file, struct comparison *comparison) {
  if (comparison->weights) report_quality(file, comparison);
  for (int i = 0; i < comparison->race_count; i++) {
    enter_race(comparison, i);
    if (comparison->race->fastest < 0) continue;
    if (comparison->weights) fputc('\n', file), report_race(file, comparison);
    if (!comparison->weights) report_training(file, comparison);
    fputc('\n', file);
    print_verdict(file, comparison);
  }
  if (comparison->weights) print_chosen(file, comparison);
  print_method(file, comparison);
}

/* --- By layer ----------------------------------------------------------------------------------------------------- */

void report_layers(FILE *file, const struct comparison *comparison, const struct layers *layers) {
  struct arena *arena = comparison->arena;
  struct sheet sheet = {.arena = arena};
  const int rules = layers->rules.count;
  const char *heads[COLUMNS] = {"parameter", "bytes"};
  int count = 2;
  for (int r = 0; r < rules; r++) {
    heads[count++] = arena_format(arena, "loss by %s", layers->rules.items[r]);
    heads[count++] = "bytes saved";
  }
  heads[count++] = "proposed";
  add_heads(&sheet, heads, count);
  for (int i = 0; i < layers->items.count; i++) {
    const struct layer *layer = &layers->items.items[i];
    const char **row = add_row(&sheet);
    row[0] = layer->name;
    row[1] = bytes_text(arena, layer->bytes);
    for (int r = 0; r < rules; r++) {
      row[2 + 2 * r] = loss_difference(arena, layer->trials[r].loss, layers->loss, layer->trials[r].error);
      row[3 + 2 * r] = bytes_text(arena, layer->bytes - layer->trials[r].bytes);
    }
    row[count - 1] = layer->chosen < 0 ? "as it is" : layers->rules.items[layer->chosen];
  }
  print_data(file, comparison, layers->examples);
  fprintf(file, "%.6f without quantising; with one parameter quantised at a time:\n\n", layers->loss);
  print_sheet(file, &sheet);
  if (layers->batches)
    fprintf(file, "\nEach loss is of %lld batches, evenly spread, so that all take about as long as --time says.\n",
            (long long)layers->batches);
  if (!layers->proposal) {
    fprintf(file, "\nNothing is proposed: quantising any parameter costs more than the limit of %.6f.\n",
            layers->limit);
    return;
  }
  fprintf(file, "\nProposed, for a loss of at most %.6f (%s):\n\n  --passes='%s'\n\n", layers->limit,
          comparison->limit ? arena_format(arena, "--max-loss=%s", comparison->limit) : "+0.5%; --max-loss sets it",
          layers->proposal);
  fprintf(file, "All of it together: loss %.6f, %s; %s of weights instead of %s.\n", layers->proposal_loss,
          loss_difference(arena, layers->proposal_loss, layers->loss, layers->proposal_error),
          bytes_text(arena, layers->proposal_bytes), bytes_text(arena, layers->bytes));
}
