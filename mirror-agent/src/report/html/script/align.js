// Which lines of two texts belong together: equal ones at both ends first, then by the longest common subsequence.

const MAX_STEPS = 4000000;

// Pairs [left, right] of indices; one of them is null where a side has no such line.
function align(left, right, same = (a, b) => a === b) {
  let start = 0;
  while (start < left.length && start < right.length && same(left[start], right[start])) start += 1;
  let end = 0;
  while (end < left.length - start && end < right.length - start
    && same(left[left.length - 1 - end], right[right.length - 1 - end])) end += 1;
  const pairs = [];
  for (let i = 0; i < start; i += 1) pairs.push([i, i]);
  middle(left, right, same, start, left.length - end, right.length - end, pairs);
  for (let i = end; i > 0; i -= 1) pairs.push([left.length - i, right.length - i]);
  return pairs;
}

function middle(left, right, same, start, leftEnd, rightEnd, pairs) {
  const rows = leftEnd - start;
  const columns = rightEnd - start;
  // Too much to align: side by side as they stand.
  if (rows * columns > MAX_STEPS) return blocks(start, leftEnd, start, rightEnd, pairs);
  const width = columns + 1;
  const lengths = new Uint32Array((rows + 1) * width);
  for (let i = rows - 1; i >= 0; i -= 1) {
    for (let j = columns - 1; j >= 0; j -= 1) {
      lengths[i * width + j] = same(left[start + i], right[start + j])
        ? lengths[(i + 1) * width + j + 1] + 1
        : Math.max(lengths[(i + 1) * width + j], lengths[i * width + j + 1]);
    }
  }
  let [i, j] = [0, 0];
  let [fromLeft, fromRight] = [0, 0];
  const flush = () => {
    blocks(start + fromLeft, start + i, start + fromRight, start + j, pairs);
  };
  while (i < rows && j < columns) {
    if (same(left[start + i], right[start + j])) {
      flush();
      pairs.push([start + i, start + j]);
      i += 1;
      j += 1;
      [fromLeft, fromRight] = [i, j];
    } else if (lengths[(i + 1) * width + j] >= lengths[i * width + j + 1]) i += 1;
    else j += 1;
  }
  [i, j] = [rows, columns];
  flush();
}

// Changed lines stand beside each other one by one, and what is left stands alone.
function blocks(left, leftEnd, right, rightEnd, pairs) {
  while (left < leftEnd || right < rightEnd) {
    pairs.push([left < leftEnd ? left : null, right < rightEnd ? right : null]);
    left += 1;
    right += 1;
  }
}

// What two lines begin and end with alike, in words, numbers and signs.
function sameEnds(left, right) {
  const [a, b] = [left, right].map((text) => text.match(WORDS) ?? []);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  const cut = (all) => [all.slice(0, start).join(""), all.slice(start, all.length - end).join(""), all.slice(all.length - end).join("")];
  return [cut(a), cut(b)];
}

const WORDS = /-?\d+(?:\.\d+)*|[\p{L}\p{N}_]+|\s+|[^]/gu;
