/* Reports by one live line on a terminal, by plain lines elsewhere, and by a log for machines. */
#include "runtime/runtime.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool lam_progress_start(struct lam_progress *progress, const char *log, bool append) {
  progress->start = lam_seconds();
  progress->smooth = (double)NAN;
  progress->live = !progress->quiet && isatty(STDOUT_FILENO);
  progress->log_path = log;
  return !log || (progress->log = fopen(log, append ? "a" : "w")) || lam_cannot_write(log, errno);
}

/* Reports once that the log cannot be written. Training goes on without it: the weights are worth more. */
static void lam_log_check(struct lam_progress *progress, bool good) {
  if (!good && !progress->log_failed) lam_cannot_write(progress->log_path, errno);
  progress->log_failed |= !good;
}

/* JSON has no NaN and no infinity; null stands for them. */
static void lam_log_number(FILE *file, const char *key, double number) {
  if (isfinite(number))
    fprintf(file, ",\"%s\":%.*g", key, sizeof(lam_real) > 4 ? 17 : 9, number);
  else
    fprintf(file, ",\"%s\":null", key);
}

/* "  scale 65536, 3 skipped" where the loss is scaled, else "". */
static const char *lam_scale_text(char text[64], double scale, double skipped) {
  *text = 0;
  if (!isnan(scale)) snprintf(text, 64, "  scale %g, %.0f skipped", scale, skipped);
  return text;
}

void lam_progress_step(struct lam_progress *progress, int64_t step, double loss, const struct lam_routine *train) {
  double gradient_norm = lam_output(train, "gradient_norm"), scale = lam_output(train, "loss_scale"),
         skipped = lam_output(train, "skipped_steps");
  char scale_text[64];
  double now = lam_seconds(), seconds = now - progress->start, done = (double)(step - progress->first);
  double rate = seconds > 0 ? done * (double)progress->units / seconds : 0;
  bool due = step % progress->every == 0 || step == progress->first + 1 || step == progress->steps;
  if (isfinite(loss)) /* that of a step that is skipped may not be */
    progress->smooth = isnan(progress->smooth) ? loss : 0.95 * progress->smooth + 0.05 * loss;
  if (progress->live && (now - progress->drawn > 0.1 || step == progress->steps)) {
    long long left = (long long)(seconds / done * (double)(progress->steps - step));
    progress->drawn = now;
    printf("\r\033[Kstep %lld/%lld  loss %.4f%s  %.0f %s/s  %lld:%02lld:%02lld left", (long long)step,
           (long long)progress->steps, progress->smooth, lam_scale_text(scale_text, scale, skipped), rate,
           progress->unit, left / 3600, left / 60 % 60, left % 60);
  } else if (!progress->live && !progress->quiet && due) {
    printf("step %lld  loss %.4f%s  %.0f %s/s\n", (long long)step, loss, lam_scale_text(scale_text, scale, skipped),
           rate, progress->unit);
  }
  fflush(stdout);
  if (!progress->log || !due) return;
  fprintf(progress->log, "{\"step\":%lld", (long long)step);
  lam_log_number(progress->log, "loss", loss);
  if (!isnan(gradient_norm)) lam_log_number(progress->log, "gradient_norm", gradient_norm);
  if (!isnan(scale)) {
    lam_log_number(progress->log, "loss_scale", scale);
    lam_log_number(progress->log, "skipped_steps", skipped);
  }
  fprintf(progress->log, ",\"%s_per_second\":%.1f,\"seconds\":%.6f}\n", progress->unit, rate, seconds);
  lam_log_check(progress, fflush(progress->log) == 0 && !ferror(progress->log));
}

void lam_progress_evaluation(struct lam_progress *progress, int64_t step, const double *loss) {
  printf(progress->live ? "\r\033[Kstep %lld  " : "step %lld  ", (long long)step);
  if (loss)
    printf("validation loss %.4f\n", *loss);
  else
    printf("no validation loss: no element of that part has a weight\n");
  fflush(stdout);
  if (!progress->log) return;
  fprintf(progress->log, "{\"step\":%lld", (long long)step);
  lam_log_number(progress->log, "validation_loss", loss ? *loss : (double)NAN);
  fputs("}\n", progress->log);
  lam_log_check(progress, fflush(progress->log) == 0 && !ferror(progress->log));
}

void lam_progress_end(struct lam_progress *progress) {
  if (progress->live) putchar('\n');
  progress->live = false;
  if (progress->log) lam_log_check(progress, fclose(progress->log) == 0);
  progress->log = NULL;
}
