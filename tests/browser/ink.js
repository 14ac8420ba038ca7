([chart, name]) => {
  // Pixels of a chart that are drawn on; with a name, those in that colour of the sheet.
  const canvas = document.querySelector(`[data-chart=${chart}] canvas`);
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const sheet = getComputedStyle(document.documentElement);
  const hex = sheet.getPropertyValue(`--${name}`).trim();
  const wanted = [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));
  let found = 0;
  for (let k = 0; k < data.length; k += 4) {
    const isDrawn = data[k + 3] > 0;
    const isWanted = name === null || wanted.every((part, c) => part === data[k + c]);
    if (isDrawn && isWanted) found += 1;
  }
  return found;
}
