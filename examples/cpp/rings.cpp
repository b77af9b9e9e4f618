// Trains a small network from C++ and asks it about points: which of two rings does a point lie in?
// To build it, in this folder:
//   lamella emit ../../specs/mlp.lam -o model
//   cc -O2 -c model/mlp.c model/lamella.c
//   c++ -std=c++17 -O2 -Imodel rings.cpp mlp.o lamella.o -o rings -lm
#include <cstdio>
#include <memory>
#include <random>
#include <stdexcept>

#include "mlp.h"

struct Destroy {
  void operator()(mlp *m) const { mlp_destroy(m); }
};
using Model = std::unique_ptr<mlp, Destroy>;

static void check(const Model &m, int status) {
  if (status != MLP_OK) throw std::runtime_error(mlp_message(m.get()));
}

static bool is_inside(float x, float y) { return x * x + y * y < 1.4f; }

int main() try {
  Model m(mlp_create());
  if (!m) throw std::runtime_error(mlp_problem() ? mlp_problem() : "not enough memory");
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  check(m, mlp_initialize(m.get(), 1));
  for (int step = 1; step <= 600; step++) {
    for (int row = 0; row < MLP_TRAIN_BATCH; row++) {
      float *x = m->train.x + row * MLP_FEATURE;
      x[0] = normal(random), x[1] = normal(random);
      m->train.inside[row] = is_inside(x[0], x[1]);
    }
    check(m, mlp_train(m.get(), step));
    if (step % 200 == 0) std::printf("step %d: loss %.3f\n", step, m->train.loss);
  }
  int right = 0, asked = 0;
  for (int round = 0; round < 20; round++) {
    for (int i = 0; i < MLP_BATCH * MLP_FEATURE; i++) m->predict.x[i] = normal(random);
    check(m, mlp_predict(m.get()));
    for (int row = 0; row < MLP_BATCH; row++, asked++) {
      const float *x = m->predict.x + row * MLP_FEATURE, *logits = m->predict.logits + row * MLP_CLASS;
      right += (logits[1] > logits[0]) == is_inside(x[0], x[1]);
    }
  }
  std::printf("%d of %d points are told right\n", right, asked);
  return right * 10 > asked * 9 ? 0 : 1;
} catch (const std::exception &error) {
  std::fprintf(stderr, "rings: %s\n", error.what());
  return 1;
}
