/* The tokenizer of which ids are the characters (Unicode code points) that a text has. */
#ifndef LAM_CHARACTERS_H
#define LAM_CHARACTERS_H

#include "runtime/tokenizer.h"

LAM_TABLE(struct lam_tokenizer lam_char_tokenizer)
/* The length of the UTF-8 sequence at `text`, or 0 when it is not one; its code point. */
LAM_API int lam_utf8_read(const char *text, size_t left, uint32_t *code);
/* The vocabulary of a text. */
LAM_API int lam_learn_characters(struct lam_vocabulary *vocabulary, const char *text, size_t length,
                                 char message[LAM_MESSAGE]);
/* Gives one to a model that has none. */
LAM_API int lam_model_learn(struct lam_model *model, const char *text, size_t length);
enum { LAM_CODE_POINTS = 0x110000 };

#endif
