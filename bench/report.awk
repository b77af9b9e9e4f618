# Prints the report of bench/run: awk -F '\t' -v form=markdown|block|json [-v only=WORKLOAD] -f bench/report.awk RECORD
#
# RECORD holds rows of these kinds:
#   machine KEY VALUE                       run KEY VALUE
#   workload NAME TITLE                     case WORKLOAD CASE UNIT GOAL GIGAFLOP GIGABYTE THREADS
#   version WORKLOAD CONTENDER VERSION      of a contender that was measured, in the order of columns
#   absent WORKLOAD CONTENDER WHY           failed WORKLOAD CONTENDER ROUND WHY
#   peak WORKLOAD "flops N"|"read N" ROUND VALUE    by N threads, in GFLOP/s or GB/s
#   sample WORKLOAD CASE CONTENDER ROUND VALUE      milliseconds, or megabytes: less is better
# "markdown" and "json" are the whole report, "block" is the part on one workload in docs/performance.md.

$1 == "machine" { machine[$2] = $3; next }
$1 == "run" { run[$2] = $3; next }
$1 == "workload" { workloads[++workload_count] = $2; title[$2] = $3; next }
$1 == "case" {
  id = $2 SUBSEP $3
  cases[$2, ++case_count[$2]] = $3
  unit[id] = $4; goal[id] = $5; gigaflop[id] = $6; gigabyte[id] = $7; threads[id] = $8
  next
}
$1 == "version" { add_contender($2, $3); version[$2, $3] = $4; next }
$1 == "absent" { absent[$2, ++absent_count[$2]] = $3; absent_why[$2, absent_count[$2]] = $4; next }
$1 == "failed" { failed[$2, ++failed_count[$2]] = $3; failed_why[$2, failed_count[$2]] = "round " $4 ": " $5; next }
$1 == "peak" { peaks[$2, $3, ++peak_count[$2, $3]] = $5; next }
$1 == "sample" {
  add_contender($2, $4)
  id = $2 SUBSEP $3 SUBSEP $4
  samples[id, ++sample_count[id]] = $6
  by_round[id, $5] = $6
}

function add_contender(w, name) {
  if ((w, name) in known) return
  known[w, name] = 1
  contenders[w, ++contender_count[w]] = name
}
function heading(w, name) { return name == "lamella" ? "Lamella" : name (version[w, name] == "" ? "" : " " version[w, name]) }

# Sorts the numbers list[key, 1..n] into `sorted`, and returns their median.
function median(list, key, n,    i, j, t) {
  for (i = 1; i <= n; i++) {
    t = list[key, i] + 0
    for (j = i - 1; j >= 1 && sorted[j] > t; j--) sorted[j + 1] = sorted[j]
    sorted[j + 1] = t
  }
  return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

function middle(id) { return median(samples, id, sample_count[id]) }

# The median ratio of Lamella to the peer over the rounds that both have; 0 without one.
function ratio_to(id, peer,    r, n) {
  n = 0
  for (r = 1; r <= run["rounds"]; r++)
    if ((id SUBSEP "lamella" SUBSEP r) in by_round && (id SUBSEP peer SUBSEP r) in by_round)
      ratios["", ++n] = by_round[id, "lamella", r] / by_round[id, peer, r]
  return n ? median(ratios, "", n) : 0
}

# The peer with the least median in this case; "" when none was measured.
function best_peer(w, id,    i, name, best) {
  best = ""
  for (i = 1; i <= contender_count[w]; i++) {
    name = contenders[w, i]
    if (name == "lamella" || !sample_count[id, name]) continue
    if (best == "" || middle(id SUBSEP name) < middle(id SUBSEP best)) best = name
  }
  return best
}

# The median peak of n threads; 0 when it was not measured.
function peak_of(w, what, n) { return peak_count[w, what " " n] ? median(peaks, w SUBSEP what " " n, peak_count[w, what " " n]) : 0 }

# The share that Lamella reaches of the peak that binds it, of multiply-adds or of memory; 0 when it is not known.
function share_of_peak(w, id,    flops, read, least) {
  if (gigaflop[id] == "" || !sample_count[id, "lamella"]) return 0
  flops = peak_of(w, "flops", threads[id]); read = peak_of(w, "read", threads[id])
  if (!flops || !read) return 0
  least = gigaflop[id] / flops
  if (gigabyte[id] / read > least) least = gigabyte[id] / read
  return least / (middle(id SUBSEP "lamella") / 1000)
}

# Whether the goal is reached: 1 or 0; -1 when that cannot be said.
function reached(w, id,    part, best) {
  if (goal[id] == "" || !sample_count[id, "lamella"] || run["quick"]) return -1
  split(goal[id], part, " ")
  if (part[2] != "x") return middle(id SUBSEP "lamella") <= part[1] + 0
  best = best_peer(w, id)
  return best == "" ? -1 : ratio_to(id, best) <= part[1] + 0
}

function digits(x) { return x >= 1000 ? sprintf("%.0f", x) : x >= 100 ? sprintf("%.1f", x) : x >= 10 ? sprintf("%.2f", x) : sprintf("%.3f", x) }
function shown(id, x) { return unit[id] == "GFLOP/s" ? digits(gigaflop[id] / (x / 1000)) : digits(x) }

function cell(id, name,    m, low, high, n) {
  n = sample_count[id, name]
  if (!n) return "-"
  m = middle(id SUBSEP name)
  low = sorted[1]; high = sorted[n]
  if (n == 1) return shown(id, m) " " unit[id]
  return shown(id, m) " " unit[id] " (" (unit[id] == "GFLOP/s" ? shown(id, high) " to " shown(id, low) : shown(id, low) " to " shown(id, high)) ")"
}

function machine_line(w,    line, n) {
  n = run["threads"]
  line = machine["date"] ", " machine["processor"] ", " machine["cores"] " cores (" machine["vectors"] "), " machine["memory"]
  line = line ", " machine["system"] ", " machine["compiler"] ", commit " machine["commit"]
  line = line "; " run["rounds"] (run["rounds"] == 1 ? " round" : " rounds") ", " n (n == 1 ? " thread" : " threads")
  line = line "; peak " peak_line(w, 1)
  if (n > 1) line = line ", " peak_line(w, n)
  if (run["quick"]) line = line ". **Tiny models to try the benchmark: the figures mean nothing.**"
  return line
}
function peak_line(w, n) {
  return sprintf("%.0f GFLOP/s and %.1f GB/s by %s", peak_of(w, "flops", n), peak_of(w, "read", n), n == 1 ? "one thread" : n " threads")
}

function table(w,    i, j, id, line, rule, best, share, met, goals, ahead, compared, any_share, any_goal, any_peer) {
  any_peer = contender_count[w] > 1 || (contender_count[w] == 1 && contenders[w, 1] != "lamella")
  for (i = 1; i <= case_count[w]; i++) {
    id = w SUBSEP cases[w, i]
    if (gigaflop[id] != "") any_share = 1
    if (goal[id] != "") any_goal = 1
  }
  line = "| |"; rule = "|---|"
  for (j = 1; j <= contender_count[w]; j++) { line = line " " heading(w, contenders[w, j]) " |"; rule = rule "---|" }
  if (any_peer) { line = line " ratio |"; rule = rule "---|" }
  if (any_share) { line = line " share of peak |"; rule = rule "---|" }
  if (any_goal) { line = line " goal |"; rule = rule "---|" }
  print line; print rule
  for (i = 1; i <= case_count[w]; i++) {
    id = w SUBSEP cases[w, i]
    line = "| " cases[w, i] " |"
    for (j = 1; j <= contender_count[w]; j++) line = line " " cell(id, contenders[w, j]) " |"
    best = sample_count[id, "lamella"] ? best_peer(w, id) : ""
    if (best != "") { compared++; if (ratio_to(id, best) <= 1) ahead++ }
    if (any_peer) line = line " " (best == "" ? "-" : sprintf("%.3f x %s", ratio_to(id, best), best)) " |"
    share = share_of_peak(w, id)
    if (any_share) line = line " " (share ? sprintf("%.0f%%", 100 * share) : "-") " |"
    met = reached(w, id)
    if (met >= 0) { goals++; reached_count[w] += met }
    if (any_goal) line = line " " (goal[id] == "" ? "-" : "<= " goal[id] (met == 1 ? ": reached" : met == 0 ? ": **missed**" : "")) " |"
    print line
  }
  line = ""
  if (compared > 1) line = line ahead + 0 " of " compared " cases no slower than the best peer. "
  if (goals > 1) line = line reached_count[w] + 0 " of " goals " goals reached. "
  for (i = 1; i <= absent_count[w]; i++) {
    line = line (i == 1 || absent_why[w, i] != absent_why[w, i - 1] ? "Not measured: " : "") absent[w, i]
    line = line (i < absent_count[w] && absent_why[w, i] == absent_why[w, i + 1] ? ", " : " (" absent_why[w, i] "). ")
  }
  for (i = 1; i <= failed_count[w]; i++) line = line "Failed: " failed[w, i] " (" failed_why[w, i] "). "
  sub(/ $/, "", line)
  if (line != "") print "\n" line
}

function text(s) {
  gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); gsub(/[\001-\037]/, " ", s)
  return "\"" s "\""
}
function json_pairs(list, names,    i, n, part, out) {
  n = split(names, part, " ")
  for (i = 1; i <= n; i++) out = out (i > 1 ? "," : "") text(part[i]) ":" text(list[part[i]])
  return "{" out "}"
}
function json_numbers(list, key, n,    i, out) {
  for (i = 1; i <= n; i++) out = out (i > 1 ? "," : "") list[key, i] + 0
  return "[" out "]"
}
function json_list(w, kind, names, whys, n,    i, out) {
  for (i = 1; i <= n; i++) out = out (i > 1 ? "," : "") "{" text("contender") ":" text(names[w, i]) "," text("why") ":" text(whys[w, i]) "}"
  return text(kind) ":[" out "]"
}
function json_case(w, id,    j, name, n, out, inner, best, met) {
  out = "{" text("case") ":" text(substr(id, length(w) + 2)) "," text("unit") ":" text(unit[id] == "GFLOP/s" ? "ms" : unit[id])
  if (gigaflop[id] != "") out = out "," text("gigaflop") ":" gigaflop[id] + 0
  if (gigabyte[id] != "") out = out "," text("gigabyte") ":" gigabyte[id] + 0
  out = out "," text("threads") ":" threads[id] + 0 "," text("goal") ":" text(goal[id])
  for (j = 1; j <= contender_count[w]; j++) {
    name = contenders[w, j]
    n = sample_count[id, name]
    if (!n) continue
    inner = inner (inner == "" ? "" : ",") text(name) ":{" text("version") ":" text(version[w, name])
    inner = inner "," text("median") ":" middle(id SUBSEP name)
    inner = inner "," text("low") ":" sorted[1] "," text("high") ":" sorted[n]
    inner = inner "," text("samples") ":" json_numbers(samples, id SUBSEP name, n) "}"
  }
  out = out "," text("contenders") ":{" inner "}"
  best = sample_count[id, "lamella"] ? best_peer(w, id) : ""
  if (best != "") out = out "," text("best_peer") ":" text(best) "," text("ratio") ":" ratio_to(id, best)
  if (share_of_peak(w, id)) out = out "," text("share_of_peak") ":" share_of_peak(w, id)
  met = reached(w, id)
  if (met >= 0) out = out "," text("reached") ":" (met ? "true" : "false")
  return out "}"
}
function json_peaks(w,    k, n, name, part, out) {
  n = split("flops read", part, " ")
  for (k = 1; k <= n; k++) {
    name = part[k] " 1"
    out = out (k > 1 ? "," : "") text(part[k]) ":{" text("1") ":" json_numbers(peaks, w SUBSEP name, peak_count[w, name])
    name = part[k] " " run["threads"]
    if (run["threads"] > 1) out = out "," text(run["threads"]) ":" json_numbers(peaks, w SUBSEP name, peak_count[w, name])
    out = out "}"
  }
  return text("peak") ":{" out "}"
}
function json(    i, k, w, out) {
  out = "{" text("machine") ":" json_pairs(machine, "date processor cores vectors memory system compiler commit")
  out = out "," text("rounds") ":" run["rounds"] "," text("threads") ":" run["threads"]
  print out "," text("quick") ":" (run["quick"] ? "true" : "false") "," text("workloads") ":["
  for (k = 1; k <= workload_count; k++) {
    w = workloads[k]
    print "{" text("name") ":" text(w) "," text("title") ":" text(title[w]) "," json_peaks(w) ","
    print json_list(w, "absent", absent, absent_why, absent_count[w]) ","
    print json_list(w, "failed", failed, failed_why, failed_count[w]) ","
    print text("cases") ":["
    for (i = 1; i <= case_count[w]; i++) print json_case(w, w SUBSEP cases[w, i]) (i < case_count[w] ? "," : "")
    print "]}" (k < workload_count ? "," : "")
  }
  print "]}"
}

END {
  OFMT = CONVFMT = "%.8g"
  if (form == "json") json()
  for (k = 1; k <= workload_count && form != "json"; k++) {
    w = workloads[k]
    if (only != "" && w != only) continue
    if (form == "markdown") print (k > 1 ? "\n" : "") "## " w ": " title[w] "\n"
    else print ""
    table(w)
    print "\n" machine_line(w)
    if (form == "block") print ""
  }
}
