# From the machine, the plans and the results of tests/bench/compare: a table on stdout, and all of
# it as JSON in the file `json`.

function sort_values(list, count,    i, j, value) {
    for (i = 2; i <= count; i++) {
        value = list[i]
        for (j = i - 1; j > 0 && list[j] > value; j--) {
            list[j + 1] = list[j]
        }
        list[j + 1] = value
    }
}

# Sets median, least and most of a key; false when there is nothing.
function summarize(key,    list, count, i) {
    count = split(values[key], list, " ")
    if (count == 0) {
        return 0
    }
    for (i = 1; i <= count; i++) {
        list[i] += 0
    }
    sort_values(list, count)
    i = int((count + 1) / 2)
    median[key] = count % 2 ? list[i] : (list[i] + list[i + 1]) / 2
    least[key] = list[1]
    most[key] = list[count]
    return 1
}

# Three digits that count, and commas.
function figure(value,    text, whole, tail) {
    if (value < 10) {
        text = sprintf("%.2f", value)
    } else if (value < 100) {
        text = sprintf("%.1f", value)
    } else {
        text = sprintf("%.0f", value)
    }
    whole = text
    sub(/\..*/, "", whole)
    tail = substr(text, length(whole) + 1)
    while (match(whole, /[0-9][0-9][0-9][0-9]($|,)/)) {
        whole = substr(whole, 1, RSTART) "," substr(whole, RSTART + 1)
    }
    return whole tail
}

function cell(who, name,    key) {
    key = who SUBSEP name
    if (!(key in median)) {
        return "-"
    }
    if (least[key] == most[key]) {
        return figure(median[key])
    }
    return figure(median[key]) " (" figure(least[key]) "-" figure(most[key]) ")"
}

function ratio(who, name) {
    if (!((who, name) in median) || !(("cohort", name) in median) || !median[who, name]) {
        return ""
    }
    return median["cohort", name] / median[who, name]
}

# Whether what we have (a ratio, or a value) is what is wanted; "" when that is unknown.
function reached(have, goal, unit) {
    if (goal == "-" || have == "") {
        return ""
    }
    return (unit == "ops/s" ? have + 0 >= goal + 0 : have + 0 <= goal + 0) ? "yes" : "no"
}

# In us where it is a time, but for fill-restart.
function bound_of(name,    trip, write) {
    trip = median["machine", "round-trip"]
    write = median["machine", "quorum"]
    if (name == "write") {
        return write
    }
    if (name == "grace") { # of 30 ms, which is to pass; then a write
        return 30000 + write
    }
    if (name == "fail-over") { # three trips and a sync until there is a leader; then a write
        return 3 * trip + median["machine", "fdatasync"] + write
    }
    if (name == "data") { # and a name of four bytes
        return 104
    }
    if (name == "copy") {
        return median["machine", "memcpy"] ? 104 * 1000000 / median["machine", "memcpy"] : ""
    }
    if (name == "one") {
        return 1
    }
    return ("machine", name) in median ? median["machine", name] : ""
}

function quoted(text) {
    gsub(/[\\"]/, "\\\\&", text)
    return "\"" text "\""
}

function emit(text) {
    printf "%s", text > json
}

function emit_values(who, name,    key, list) {
    key = who SUBSEP name
    if (key in median) {
        list = values[key]
        gsub(/ +$/, "", list)
        gsub(/ /, ", ", list)
        emit(sprintf(", %s: {\"median\": %.10g, \"values\": [%s]}", quoted(who), median[key], list))
    }
}

function emit_number(field, value) {
    if (value != "" && value != "-") {
        emit(sprintf(", %s: %.10g", quoted(field), value))
    }
}

# In each round, what was measured in us as so many round trips of that round.
function count_trips(name,    base, who, list, trips, count, i) {
    base = name
    sub(/-trips$/, "", base)
    for (who in systems) {
        count = split(values[who, base], list, " ")
        split(values["machine", "round-trip"], trips, " ")
        for (i = 1; i <= count && trips[i] > 0; i++) {
            values[who, name] = values[who, name] sprintf("%.4g ", list[i] / trips[i])
        }
    }
}

function print_row(i,    name, unit, zk, etcd, own, goal, is, verdict, bound, of_bound) {
    name = names[i]
    unit = units[i]
    zk = ratio("zookeeper", name)
    etcd = ratio("etcd", name)
    own = ("cohort", name) in median ? median["cohort", name] : ""
    goal = verdict = ""
    if (goal_zookeeper[i] != "-") {
        goal = goal_zookeeper[i] " x ZooKeeper"
        verdict = reached(zk, goal_zookeeper[i], unit)
    }
    if (goal_etcd[i] != "-") {
        goal = goal ", " goal_etcd[i] " x etcd"
        is = reached(etcd, goal_etcd[i], unit)
        verdict = verdict == "no" || is == "no" ? "no" : is
    }
    if (goal_own[i] != "-") {
        goal = goal_own[i] " " unit
        verdict = reached(own, goal_own[i], unit)
    }
    bound = bound_of(bounds[i])
    # A round trip is told in us.
    if (bound != "" && unit == "ms") {
        bound /= 1000
    }
    of_bound = bound != "" && own != "" ? sprintf("%s (%s x)", figure(bound), figure(own / bound)) : ""
    printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", name, unit,
        cell("zookeeper", name), cell("etcd", name), cell("cohort", name),
        zk == "" ? "" : figure(zk), etcd == "" ? "" : figure(etcd), goal, verdict, of_bound
    emit(sprintf("%s\n    {\"workload\": %s, \"unit\": %s", i > 1 ? "," : "", quoted(name),
        quoted(unit)))
    emit_values("zookeeper", name)
    emit_values("etcd", name)
    emit_values("cohort", name)
    emit_number("ratio_zookeeper", zk)
    emit_number("ratio_etcd", etcd)
    emit_number("goal_ratio_zookeeper", goal_zookeeper[i])
    emit_number("goal_ratio_etcd", goal_etcd[i])
    emit_number("goal", goal_own[i])
    emit_number("bound", bound)
    if (verdict != "") {
        emit(", \"reached\": " (verdict == "yes" ? "true" : "false"))
    }
    emit("}")
}

FNR == 1 { file++ }

file == 1 {
    at = index($0, "=")
    machine_names[++machine_count] = substr($0, 1, at - 1)
    machine[machine_count] = substr($0, at + 1)
}

file == 2 {
    names[++count] = $1
    units[count] = $2
    goal_zookeeper[count] = $9
    goal_etcd[count] = $10
    goal_own[count] = $11
    bounds[count] = $12
}

file == 3 {
    values[$1, $2] = values[$1, $2] $3 " "
    if ($1 != "machine") {
        systems[$1] = 1
    }
}

END {
    for (i = 1; i <= count; i++) {
        if (units[i] == "trips") {
            count_trips(names[i])
        }
    }
    for (key in values) {
        summarize(key)
    }
    emit("{\n  \"rounds\": " rounds ",\n  \"machine\": {")
    for (i = 1; i <= machine_count; i++) {
        printf "%s: %s\n", machine_names[i], machine[i]
        emit((i > 1 ? ", " : "") quoted(machine_names[i]) ": " quoted(machine[i]))
    }
    printf "\nMedians (rounds: %d), with the least and the most. Ratios are Cohort's median to theirs.\n\n",
        rounds
    print "| workload | unit | ZooKeeper | etcd | Cohort | to ZooKeeper | to etcd | goal | reached | bound (Cohort to it) |"
    print "|---|---|---|---|---|---|---|---|---|---|"
    emit("},\n  \"workloads\": [")
    for (i = 1; i <= count; i++) {
        print_row(i)
    }
    emit("\n  ],\n  \"bounds\": {")
    print "\nWhat the machine can, without Cohort:\n"
    print "| bound | |"
    print "|---|---|"
    total = split("round-trip round-trip-ipc round-trip-inproc echo-1 echo-32 fdatasync quorum memcpy answer logs",
        list, " ")
    text["round-trip"] = "ZeroMQ, 100 bytes there and back, TCP: us"
    text["round-trip-ipc"] = "the same, ipc: us"
    text["round-trip-inproc"] = "the same, inproc: us"
    text["echo-1"] = "ROUTER to DEALER and back, 512 under way, 100 bytes: messages a second"
    text["echo-32"] = "the same, 32 requests of 100 bytes a message: requests a second"
    text["answer"] = "100 bytes there, 64 KiB back, 8 under way at each of three servers: answers a second"
    text["logs"] = "three files on one disk, 1 MiB written and synced at a time: 64 KiB a second of each"
    text["fdatasync"] = "128 bytes written and synced: us"
    text["quorum"] = "three bare servers write and sync a request, answered when two of them have: us"
    text["memcpy"] = "bytes a second"
    for (i = 1; i <= total; i++) {
        if (i > 8 && !(("machine", list[i]) in median)) {
            continue # only where a plan asks for it
        }
        printf "| %s (%s) | %s |\n", list[i], text[list[i]], cell("machine", list[i])
        emit(sprintf("%s%s: %.10g", i > 1 ? ", " : "", quoted(list[i]), median["machine", list[i]]))
    }
    print "\nThe bound of a write (set-1, fanout) is that of a quorum; of vanish 30 ms, the grace, and a write;"
    print "of gap three round trips, one fdatasync and a write; of fill-memory the data and a name of four"
    print "bytes, of fill-restart a million times a memcpy of them."
    emit("}\n}\n")
}
