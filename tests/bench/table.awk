# Converts lines "phase tool wall user system memory-in-KiB stored-bytes", several of each kind, to
# Markdown: medians, and in parentheses the ratio to odoo-backup. Of a month the figures are those of
# a median day, and what is stored is the sum.
BEGIN {
    title["first"] = "The first backup"
    title["again"] = "Again, nothing changed"
    title["day"] = "After a day of activity"
    title["month"] = "A month, with a backup after each day"
    title["restore"] = "The restore"
    self = "odoo-backup"
}
{
    if (!(($1) in phase_seen)) { phase_seen[$1] = 1; phases[++phase_count] = $1 }
    if (!(($2) in tool_seen)) { tool_seen[$2] = 1; tools[++tool_count] = $2 }
    run = ++runs[$1, $2]
    value[$1, $2, "wall", run] = $3
    value[$1, $2, "cpu", run] = $4 + $5
    value[$1, $2, "memory", run] = $6 * 1024
    value[$1, $2, "stored", run] = $7
    total[$1, $2] += $7
}
function median(phase, tool, what,    count, i, j, sorted, moved) {
    count = runs[phase, tool]
    for (i = 1; i <= count; i++) {
        moved = value[phase, tool, what, i]
        for (j = i - 1; j >= 1 && sorted[j] > moved; j--) sorted[j + 1] = sorted[j]
        sorted[j + 1] = moved
    }
    return count % 2 ? sorted[(count + 1) / 2] : (sorted[count / 2] + sorted[count / 2 + 1]) / 2
}
function figure(phase, tool, what) {
    return phase == "month" && what == "stored" ? total[phase, tool] / RUNS : median(phase, tool, what)
}
function cell(phase, tool, what, divisor, unit,    mine, own, text) {
    mine = figure(phase, tool, what)
    text = sprintf("%.1f %s", mine / divisor, unit)
    if (tool == self || !((phase, self) in runs)) return text
    own = figure(phase, self, what)
    return own > 0 ? text sprintf(" (%.2f)", mine / own) : text
}
END {
    for (p = 1; p <= phase_count; p++) {
        phase = phases[p]
        printf "\n### %s\n\n| tool | wall | processor | peak memory | stored |\n| --- | ---: | ---: | ---: | ---: |\n", title[phase]
        for (t = 1; t <= tool_count; t++) {
            tool = tools[t]
            if (!((phase, tool) in runs)) continue
            stored = tool == "floor" || phase == "restore" ? "–" : cell(phase, tool, "stored", 1e6, "MB")
            printf "| %s | %s | %s | %s | %s |\n", tool, cell(phase, tool, "wall", 1, "s"), cell(phase, tool, "cpu", 1, "s"), \
                cell(phase, tool, "memory", 1e6, "MB"), stored
        }
    }
}
