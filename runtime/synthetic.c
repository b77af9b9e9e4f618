/* Reads data that the routine synthesize makes, all columns at once. */
#include "runtime/runtime.h"

#include <stdlib.h>
#include <string.h>

static bool lam_synthetic_open(struct lam_dataset *dataset) {
  const struct lam_data *data = dataset->data;
  struct lam_routine *routine = &dataset->program->routines[LAM_SYNTHESIZE];
  void **columns = lam_allocate(data->column_count, sizeof *columns);
  dataset->contents = columns;
  lam_run_routine(dataset->program, LAM_SYNTHESIZE, 0, 0, dataset->seed, NULL);
  for (int i = 0; i < data->column_count; i++) {
    const struct lam_column *column = &data->columns[i];
    const struct lam_port *port =
        lam_find_port(routine->outputs, routine->output_count, column->field ? column->field : column->name);
    if (!dataset->needed[i]) continue;
    int64_t count = data->examples * column->length;
    if (!port || lam_count(port->shape, port->rank) != count || port->type != column->type)
      return lam_error("data %s makes no column %s of %lld elements", data->name, column->name, (long long)count);
    columns[i] = lam_allocate(count, lam_type_size(column->type));
    memcpy(columns[i], port->data, (size_t)count * lam_type_size(column->type));
    for (int64_t k = 0; column->type == LAM_TYPE_INTEGER && dataset->ranges[i] && k < count; k++)
      if (((int32_t *)columns[i])[k] < 0 || ((int32_t *)columns[i])[k] >= dataset->ranges[i])
        return lam_error("data %s: example %lld of %s is %d, which is not below %lld", data->name,
                         (long long)(k / column->length), column->name, (int)((int32_t *)columns[i])[k],
                         (long long)dataset->ranges[i]);
  }
  dataset->units = data->examples;
  return true;
}

static void lam_synthetic_close(struct lam_dataset *dataset) {
  for (int i = 0; i < dataset->data->column_count; i++) free(((void **)dataset->contents)[i]);
}

static void lam_synthetic_fill(const struct lam_dataset *dataset, int column, const struct lam_row *row, void *to) {
  const struct lam_column *c = &dataset->data->columns[column];
  size_t bytes = (size_t)c->length * lam_type_size(c->type);
  memcpy(to, ((char **)dataset->contents)[column] + (size_t)row->begin * bytes, bytes);
}

LAM_API const struct lam_reader lam_synthetic_reader = {"synthetic", lam_synthetic_open, lam_synthetic_close,
                                                        lam_synthetic_fill, NULL};
