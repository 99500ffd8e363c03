/* The version of Cohort, written here and nowhere else: CMake reads these three lines. */

#ifndef COHORT_VERSION_H
#define COHORT_VERSION_H

#define COHORT_VERSION_MAJOR 0
#define COHORT_VERSION_MINOR 1
#define COHORT_VERSION_PATCH 0

#endif
