/* Training under `lamella run --watch`: the spec may change while a run goes on. Two processes take part in a change,
   and the one that watches directs them. The program of the edited spec gets everything ready, reports that, and waits.
   Then the running program stops after its step with a checkpoint, as for Ctrl-C, and the new one goes on from what
   still fits. So nothing is given up before the new program can begin, and the weights' file always holds the newest
   state. */
#include "runtime/runtime.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The descriptors in LAMELLA_HANDOVER: to read the order from, to report to, and for messages after the order. */
static bool lam_handover_descriptors(int descriptors[3]) {
  const char *text = lam_environment("LAMELLA_HANDOVER");
  return text && sscanf(text, "%d:%d:%d", &descriptors[0], &descriptors[1], &descriptors[2]) == 3;
}

static bool lam_handover_waits(void) { return lam_environment("LAMELLA_HANDOVER") != NULL; }

/* Reports that all is ready, and where weights go, and waits for the order. */
static enum lam_order lam_handover_ready(const char *path) {
  int descriptors[3];
  char order = 0;
  ssize_t count;
  if (!lam_handover_descriptors(descriptors)) return LAM_ORDER_BEGIN;
  if (dprintf(descriptors[1], "out %s\nready\n", path) < 0) return LAM_ORDER_STOP;
  /* A signal does not end the wait: after an order to go on, this program has to save what was handed over. */
  do count = read(descriptors[0], &order, 1);
  while (count < 0 && errno == EINTR);
  close(descriptors[0]);
  dup2(descriptors[2], STDERR_FILENO);
  close(descriptors[2]);
  return count == 1 ? (enum lam_order)order : LAM_ORDER_STOP;
}

static void lam_handover_refused(void) {
  int descriptors[3];
  if (lam_handover_descriptors(descriptors) && write(descriptors[1], "refused\n", 8) != 8)
    lam_note("nobody watches any more: %s", strerror(errno));
}

static volatile sig_atomic_t lam_handover_signal;

static void lam_ask_handover(int signal) { lam_handover_signal = signal; }

/* From now on a signal asks the run to leave off. */
static void lam_handover_listen(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = lam_ask_handover;
  action.sa_flags = SA_RESTART; /* SIGUSR1 may come again */
  sigaction(SIGUSR1, &action, NULL);
}

static bool lam_handover_asked(void) {
  bool asked = lam_handover_signal != 0;
  lam_handover_signal = 0;
  return asked;
}

/* --- What still fits ---------------------------------------------------------------------------------------------- */

struct lam_matches {
  int wanted, found;
  char new[LAM_LIST], changed[LAM_LIST]; /* lists of names */
};
/* Reads tensors of a role that fit. Counts them, and lists those that are new or have another shape now. */
static bool lam_matching_role(struct lam_program *program, const struct lam_weights *weights, enum lam_role role,
                              struct lam_matches *matches) {
  *matches = (struct lam_matches){0};
  for (int i = 0; i < program->model->tensor_count; i++) {
    const struct lam_tensor *tensor = &program->model->tensors[i];
    if (tensor->role != role || tensor->frozen == LAM_IN_BASE) continue;
    const struct lam_entry *entry = lam_weights_find(weights, tensor->name);
    matches->wanted++;
    if (!entry) {
      lam_list_add(matches->new, tensor->name);
    } else if (!lam_weights_fit(weights, entry, tensor)) {
      lam_list_add(matches->changed, tensor->name);
    } else {
      if (!lam_weights_read(weights, entry, tensor->type, tensor->data)) return false;
      matches->found++;
    }
  }
  return true;
}

/* Reads where the run stands, and facts that it learned of data which this program has, too. */
static bool lam_handover_facts(struct lam_program *program, const struct lam_weights *weights, struct lam_run *run) {
  struct lam_model *model = program->model;
  int status = lam_read_run(weights, run, true, model->message);
  if (status == LAM_OK) status = lam_read_facts(model, weights, LAM_START_FROM, &run->facts);
  return status == LAM_OK || lam_error("%s", model->message);
}

/* Loads what still fits of a file that a program of another version of the spec left. The step and the rows seen go on;
   the number of steps and the seed are the spec's. */
static bool lam_matching(struct lam_program *program, const struct lam_weights *weights, struct lam_run *run) {
  struct lam_matches parameters, averages = {0}, states;
  char gone[LAM_LIST] = "";
  struct lam_run before = *run;
  if (!lam_handover_facts(program, weights, run)) return false;
  run->steps = before.steps, run->seed = before.seed;
  if (!lam_matching_role(program, weights, LAM_PARAMETER, &parameters)) return false;
  lam_start_averages(program->model);
  if (!lam_matching_role(program, weights, LAM_AVERAGE, &averages)) return false;
  if (!lam_matching_role(program, weights, LAM_OPTIMIZER, &states)) return false;
  if (program->model->note_pruned) program->model->note_pruned(program->model, weights, LAM_RESUME);
  lam_changed(program->model);
  for (int64_t k = 0; k < weights->count; k++) {
    bool known = strchr(weights->entries[k].name, '/') != NULL; /* it belongs to a parameter */
    for (int i = 0; i < program->model->tensor_count && !known; i++)
      known = !strcmp(program->model->tensors[i].name, weights->entries[k].name);
    if (!known) lam_list_add(gone, weights->entries[k].name);
  }
  lam_note("step %lld goes on with %d of %d parameters and %d of %d tensors of the optimizer%s%s%s%s%s%s",
           (long long)run->step, parameters.found, parameters.wanted, states.found + averages.found,
           states.wanted + averages.wanted, *parameters.new ? "; new: " : "", parameters.new,
           *parameters.changed ? "; of another shape: " : "", parameters.changed, *gone ? "; gone: " : "", gone);
  return true;
}

bool lam_checkpoint_go_on(struct lam_program *program, struct lam_run *run, const char *path) {
  struct lam_weights *weights = lam_weights_open(path, program->model->join_parts);
  bool good = weights && lam_matching(program, weights, run);
  lam_weights_close(weights);
  return good;
}

/* Loads what fits of the weights. */
static bool lam_take_over(struct lam_program *program, struct lam_run *run, const char *path, bool *same_facts) {
  struct lam_pairs now = run->facts;
  run->facts = (struct lam_pairs){0};
  bool good = lam_checkpoint_go_on(program, run, path);
  *same_facts = true;
  for (int64_t i = 0; i < run->facts.count; i++) {
    const struct lam_pair *then = &run->facts.items[i], *fact = lam_pairs_find(&now, then->key);
    *same_facts &= fact && then->length == fact->length && !memcmp(then->value, fact->value, fact->length);
  }
  lam_pairs_free(*same_facts ? &run->facts : &now);
  if (*same_facts) run->facts = now;
  return good;
}

static bool lam_handover_begin(struct lam_program *program, struct lam_run *run, const char *path, bool *same_facts,
                               int *code) {
  lam_handover_listen();
  const enum lam_order order = lam_handover_ready(path);
  *code = order == LAM_ORDER_STOP ? 130 : 1;
  return order == LAM_ORDER_BEGIN || (order == LAM_ORDER_GO_ON && lam_take_over(program, run, path, same_facts));
}

LAM_API const struct lam_handover lam_handover = {lam_handover_waits, lam_handover_begin, lam_handover_asked,
                                                  lam_handover_refused};
