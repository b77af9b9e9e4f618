/* derived WEIGHTS: two models of one spec, of which `net` keeps what it derives of parameters and `plain` computes all of it at each
   call, go through every way in which parameters change. After each both predict the same, and other numbers than before: a
   derived value that stayed as it was would show. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"
#include "plain.h"

enum { LOGITS = NET_PREDICT_BATCH * NET_PREDICT_SEQ * NET_PREDICT_VOCAB, TOKENS = NET_PREDICT_BATCH * NET_PREDICT_SEQ };
enum { STEP_LOGITS = NET_STEP_BATCH * NET_STEP_SEQ * NET_STEP_VOCAB };

static struct net *net;
static struct plain *plain;
static float before[LOGITS];
static int wrong;

static void require(int status, int other, const char *what) {
  if (status == NET_OK && other == PLAIN_OK) return;
  printf("%s: status %d and %d: %s%s\n", what, status, other, net_message(net), plain_message(plain));
  exit(1);
}

static double distance(const float *x, const float *y, int count) {
  double most = 0;
  for (int i = 0; i < count; i++) {
    const double difference = fabs((double)x[i] - (double)y[i]) / (1 + fabs((double)y[i]));
    most = difference <= most ? most : difference; /* NaN counts */
  }
  return most;
}

static void fill(int32_t *tokens, int count, int begin) {
  for (int i = 0; i < count; i++) tokens[i] = (begin + 7 * i) % NET_VOCAB;
}

/* Both models predict, and compute a step of generation; `changes`: whether parameters are others than at the last check. */
static void check(const char *what, int changes) {
  fill(net->predict.tokens, TOKENS, 1), fill(plain->predict.tokens, TOKENS, 1);
  fill(net->step.tokens, 4, 2), fill(plain->step.tokens, 4, 2);
  require(net_predict(net), plain_predict(plain), what);
  require(net_step(net, 4, 4), plain_step(plain, 4, 4), what);
  const double apart = distance(net->predict.logits, plain->predict.logits, LOGITS),
               moved = distance(net->predict.logits, before, LOGITS);
  double step = 0;
  for (int i = 0; i < STEP_LOGITS; i++) {
    const int position = i / NET_STEP_VOCAB % NET_STEP_SEQ;
    if (position < 4) step = fmax(step, distance(net->step.logits + i, plain->step.logits + i, 1));
  }
  if (!(apart < 1e-4) || !(step < 1e-4))
    printf("%s: predictions differ by %g, steps by %g\n", what, apart, step), wrong = 1;
  if (changes ? !(moved > 1e-3) : moved > 0) printf("%s: predictions moved by %g\n", what, moved), wrong = 1;
  memcpy(before, net->predict.logits, sizeof before);
}

static void train(int64_t step) {
  fill(net->train.tokens, NET_TRAIN_BATCH * NET_TRAIN_SEQ, (int)step);
  fill(net->train.next, NET_TRAIN_BATCH * NET_TRAIN_SEQ, (int)step + 7);
  for (int i = 0; i < NET_TRAIN_BATCH * NET_TRAIN_SEQ; i++) net->train.weight[i] = plain->train.weight[i] = 1;
  memcpy(plain->train.tokens, net->train.tokens, NET_TRAIN_BATCH * NET_TRAIN_SEQ * sizeof(int32_t));
  memcpy(plain->train.next, net->train.next, NET_TRAIN_BATCH * NET_TRAIN_SEQ * sizeof(int32_t));
  require(net_train(net, step), plain_train(plain, step), "train");
}

static void write_through_pointers(void) {
  struct net_array tensor;
  struct plain_array other;
  require(net_tensor(net, "layer.weight/average", &tensor), plain_tensor(plain, "layer.weight/average", &other),
          "tensor");
  for (int64_t i = 0; i < tensor.count; i++) {
    ((float *)tensor.data)[i] *= -3;
    ((float *)other.data)[i] *= -3;
  }
  net_changed(net), plain_changed(plain);
}

int main(int count, char **arguments) {
  static char bytes[1 << 22];
  int64_t step = 0;
  net = net_create(), plain = plain_create();
  if (count != 2 || !net || !plain) return 2;
  for (int i = 0; i < LOGITS; i++) before[i] = -1;
  check("parameters that are all zero", 1);
  require(net_initialize(net, 7), plain_initialize(plain, 7), "initialize");
  check("initialize", 1);
  require(net_initialize(net, 8), plain_initialize(plain, 8), "initialize again");
  check("initialize again", 1);
  check("nothing", 0);
  for (int i = 1; i <= 3; i++) {
    train(i);
    check("train", 1);
  }
  require(net_save(net, arguments[1]), plain_save(plain, "plain.safetensors"), "save");
  check("save", 0);
  require(net_initialize(net, 9), plain_initialize(plain, 9), "initialize");
  check("initialize a third time", 1);
  require(net_load(net, arguments[1]), plain_load(plain, arguments[1]), "load");
  check("load", 1);
  if (net_load(net, "there is no such file") == NET_OK || plain_load(plain, "there is no such file") == PLAIN_OK)
    return 3;
  check("a load that failed", 0);
  require(net_initialize(net, 10), plain_initialize(plain, 10), "initialize");
  check("initialize a fourth time", 1);
  FILE *file = fopen(arguments[1], "rb");
  if (!file) return 4;
  const size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  require(net_load_memory(net, bytes, size), plain_load_memory(plain, bytes, size), "load_memory");
  check("load_memory", 1);
  require(net_initialize(net, 11), plain_initialize(plain, 11), "initialize");
  check("initialize a fifth time", 1);
  require(net_start_from(net, arguments[1]), plain_start_from(plain, arguments[1]), "start_from");
  check("start_from", 1);
  require(net_initialize(net, 12), plain_initialize(plain, 12), "initialize");
  check("initialize a sixth time", 1);
  require(net_resume(net, arguments[1], &step), plain_resume(plain, arguments[1], &step), "resume");
  check("resume", 1);
  write_through_pointers();
  check("writing through pointers", 1);
  net_destroy(net);
  plain_destroy(plain);
  return wrong;
}
