"use strict";
// How much of the differences between runs one axis accounts for: the share of a metric's variance.
//
// It is the adjusted R² of the metric on the levels of that axis alone (the analysis of variance calls it epsilon
// squared): 1 where nothing else matters, about 0 where the axis does not, however many levels it has. What two axes do
// only together is in neither's share, and axes that were varied together each have all of it.
{
  const MOST_LEVELS = 5; // numbers of more values are grouped into so many levels of equally many runs

  // The share in [0, 1] among some runs, of which those count that have both; null where there is nothing to tell: fewer
  // than two levels, a level for every run, or a metric that does not vary.
  mg.importance = (trials, metric, axis) => {
    const score = mg.trials[`at_${metric.key}_val`];
    const known = trials.filter((trial) => score[trial] != null && mg.trials[axis.key][trial] != null);
    const levels = levelsOf(axis, known);
    const groups = new Map();
    for (const trial of known) {
      const level = levels(trial);
      if (groups.has(level)) groups.get(level).push(score[trial]);
      else groups.set(level, [score[trial]]);
    }
    const [within, total] = [known.length - groups.size, known.length - 1];
    const all = squares(known.map((trial) => score[trial]));
    if (within <= 0 || within >= total || all === 0) return null;
    const residual = [...groups.values()].reduce((sum, group) => sum + squares(group), 0);
    return Math.max(0, 1 - residual / within / (all / total));
  };

  // About their mean.
  const squares = (numbers) => {
    const mean = numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
    return numbers.reduce((sum, number) => sum + (number - mean) ** 2, 0);
  };

  // The level of a run: its value, or the place of that among the quantiles of all.
  const levelsOf = ({ key, numeric, values }, trials) => {
    const codes = mg.trials[key];
    if (!numeric || new Set(trials.map((trial) => codes[trial])).size <= MOST_LEVELS) return (trial) => codes[trial];
    const sorted = trials.map((trial) => values[codes[trial]]).sort((a, b) => a - b);
    const quantiles = Array.from(
      { length: MOST_LEVELS - 1 },
      (_, edge) => sorted[Math.floor(((edge + 1) * (sorted.length - 1)) / MOST_LEVELS)],
    );
    const edges = quantiles.filter((edge) => edge > sorted[0]); // the lowest value is no level of its own
    return (trial) => edges.filter((edge) => edge < values[codes[trial]]).length;
  };
}
