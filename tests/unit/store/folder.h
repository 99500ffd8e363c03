/*
 *  tests/unit/store/folder.h - a folder for one test
 */
#ifndef TESTS_UNIT_STORE_FOLDER_H
#define TESTS_UNIT_STORE_FOLDER_H

enum { FOLDER_SIZE = 256 };

/*  Makes a fresh one below TMPDIR, or /tmp. */
void folder_make (char folder[FOLDER_SIZE]);
/*  Removes it with the files, and the folders of files, in it. */
void folder_remove (const char *folder);

#endif
