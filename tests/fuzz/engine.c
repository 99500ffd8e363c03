/* A target as libFuzzer wants it; main is libFuzzer's own.
 *
 *      fuzz-NAME --seeds=FOLDER        writes the seeds, and nothing else
 *      fuzz-NAME [options of libFuzzer] CORPUS... */

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize (int *argc, char ***argv);
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    static const char option[] = "--seeds=";
    if (*argc == 2 && strncmp ((*argv)[1], option, sizeof (option) - 1) == 0) {
        exit (fuzz_write_seeds ((*argv)[1] + sizeof (option) - 1) ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    return 0;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    fuzz_run (data, size);
    return 0;
}
