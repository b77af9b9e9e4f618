/* The products of W6 by oneDNN's matrix product. The primitive is made once for a shape; the weights keep their layout.
   */
#include "bench/contract/contract.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>

static dnnl_engine_t engine;
static dnnl_stream_t stream;

static void check(dnnl_status_t status, const char *what) {
  if (status == dnnl_success) return;
  fprintf(stderr, "oneDNN: %s failed: %d\n", what, (int)status);
  exit(1);
}

static dnnl_memory_desc_t matrix(int64_t rows, int64_t columns, int transposed) {
  dnnl_dims_t sizes = {rows, columns};
  dnnl_memory_desc_t description;
  check(dnnl_memory_desc_create_with_tag(&description, 2, sizes, dnnl_f32, transposed ? dnnl_ba : dnnl_ab),
        "a description of memory");
  return description;
}

struct prepared {
  dnnl_primitive_t primitive;
  dnnl_exec_arg_t arguments[3];
};

static dnnl_memory_t memory(dnnl_memory_desc_t description, const float *data) {
  dnnl_memory_t result;
  check(dnnl_memory_create(&result, description, engine, (void *)(uintptr_t)data), "memory");
  return result;
}

void *contract_prepare(const struct product *p, const float *x, const float *w, float *c) {
  if (!engine) {
    check(dnnl_engine_create(&engine, dnnl_cpu, 0), "an engine");
    check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags), "a stream");
  }
  dnnl_memory_desc_t left = matrix(p->m, p->k, p->layout == 'g'), right = matrix(p->k, p->n, p->layout == 't'),
                     result = matrix(p->m, p->n, 0);
  dnnl_primitive_desc_t description;
  struct prepared *prepared = calloc(1, sizeof *prepared);
  if (!prepared) exit(1);
  check(dnnl_matmul_primitive_desc_create(&description, engine, left, right, NULL, result, NULL),
        "a product's description");
  check(dnnl_primitive_create(&prepared->primitive, description), "a product");
  dnnl_primitive_desc_destroy(description);
  prepared->arguments[0] = (dnnl_exec_arg_t){DNNL_ARG_SRC, memory(left, x)};
  prepared->arguments[1] = (dnnl_exec_arg_t){DNNL_ARG_WEIGHTS, memory(right, w)};
  prepared->arguments[2] = (dnnl_exec_arg_t){DNNL_ARG_DST, memory(result, c)};
  return prepared;
}

void contract(void *given, const struct product *p, const float *x, const float *w, float *c) {
  (void)p, (void)x, (void)c;
  struct prepared *prepared = given;
  check(dnnl_memory_set_data_handle(prepared->arguments[1].memory, (void *)(uintptr_t)w), "other weights");
  check(dnnl_primitive_execute(prepared->primitive, stream, 3, prepared->arguments), "the product");
  check(dnnl_stream_wait(stream), "waiting");
}
