#include "driver/compare.h"
const char *report_page(const struct comparison *comparison) { (void)comparison; return ""; }
