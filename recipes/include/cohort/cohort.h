/*
 * cohort/cohort.h - everything: the client and the recipes
 */
#ifndef COHORT_COHORT_H
#define COHORT_COHORT_H

#include "cohort/acl.h"
#include "cohort/await.h"
#include "cohort/barrier.h"
#include "cohort/cell.h"
#include "cohort/claim.h"
#include "cohort/client.h"
#include "cohort/config.h"
#include "cohort/directory.h"
#include "cohort/election.h"
#include "cohort/error.h"
#include "cohort/group.h"
#include "cohort/lease.h"
#include "cohort/lock.h"
#include "cohort/member.h"
#include "cohort/mirror.h"
#include "cohort/multilock.h"
#include "cohort/partitioner.h"
#include "cohort/pool.h"
#include "cohort/queue.h"
#include "cohort/sem.h"
#include "cohort/types.h"
#include "cohort/version.h"
#include "cohort/why.h"

#endif
