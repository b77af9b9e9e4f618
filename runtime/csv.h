/* The reader of tables. */
#ifndef LAM_CSV_H
#define LAM_CSV_H

#include "runtime/data.h"

LAM_TABLE(struct lam_reader lam_csv_reader)

#endif
