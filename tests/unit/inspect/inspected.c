/* What `cohortd inspect` finds on a disk that crashes. */
#include "tests/unit/inspect/inspected.h"

#include "tests/unit/unit.h"

void inspect (struct crash_disk *disk, struct inspect_report *report)
{
    struct fault fault;
    uint64_t operations = crash_disk_operations (disk);
    struct inspect_options options = {.disk = crash_disk_open (disk), .checksums_only = true};
    int rc = inspect_run (&options, report, &fault);
    if (rc != 0) {
        fail_msg ("%s", fault.text);
    }
    options.disk->ops->destroy (options.disk);
    assert_int_equal (crash_disk_operations (disk), operations);
}
