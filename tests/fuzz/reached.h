/* Included before the C engine when it is built for the fuzzer: which productions of the grammar an input reaches.
 * The engine walks a table, so its own branches say little about how far an input got in the schema. */
#include <stddef.h>

void reached(size_t production);

#define REACHED(grammar, production) reached((size_t)((production) - (grammar)->productions))
