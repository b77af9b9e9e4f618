/* Text as it is safe to show on a terminal: characters that would move its cursor, change its state or reorder its
   letters are written as escapes. */
#ifndef IR_DISPLAY_H
#define IR_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "ir/arena.h"

/* The length in bytes of the UTF-8 character at `text`, where `left` bytes remain, and its code point in *code. 0 for
   bytes that are no character, and for a zero byte. */
int character_at(const char *text, size_t left, uint32_t *code);
/* A control character (C0, DEL, C1), or one that reverses the direction of text (U+202A to U+202E, U+2066 to
   U+2069). */
bool character_is_control(uint32_t code);
bool character_turns_text(uint32_t code);
/* Writes to `shown` what to print for the character at `text`: the character itself, or an escape where it must not
   reach a terminal, "\x1b" for a byte and "\u202e" for others. Returns how many bytes of the text it takes. *columns is
   the width of `shown`: 0 for a character that joins the letter before it, 2 for a wide one. */
enum { LONGEST_SHOWN_CHARACTER = 16 };
int character_shown(const char *text, size_t left, char shown[LONGEST_SHOWN_CHARACTER], int *columns);
/* The whole text with such characters escaped, in the arena. */
const char *printable(struct arena *arena, const char *text);

#endif
