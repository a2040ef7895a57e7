"use strict";
// Fronts as analysis.pareto takes them: both coordinates maximised, of equal points the first stays.
{
  mg.pareto = {
    // Indices of `points` ([x, y], finite) on the front, from the smallest x to the largest.
    front(points) {
      const order = points.map((_, index) => index);
      order.sort((a, b) => points[b][0] - points[a][0] || points[b][1] - points[a][1] || a - b);
      let best = -Infinity;
      const members = order.filter((index) => {
        const member = points[index][1] > best;
        if (member) best = points[index][1];
        return member;
      });
      return members.reverse();
    },

    // The border of what members attain, from `left` down to `bottom`: a step line.
    staircase(points, [left, bottom]) {
      const line = [];
      const members = mg.pareto.front(points).map((index) => points[index]);
      members.forEach(([x, y], number) => line.push([number ? members[number - 1][0] : Math.min(left, x), y], [x, y]));
      if (members.length) line.push([members.at(-1)[0], Math.min(bottom, members.at(-1)[1])]);
      return line;
    },

    // The area above (0, 0) that the points dominate.
    area(points) {
      let [area, before] = [0, 0];
      for (const index of mg.pareto.front(points)) {
        area += Math.max(0, points[index][0] - before) * Math.max(0, points[index][1]);
        before = Math.max(before, points[index][0]);
      }
      return area;
    },
  };
}
