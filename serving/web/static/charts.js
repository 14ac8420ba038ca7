"use strict";

// Draws each element with "data-chart" from the JSON block it names, in the sheet's own
// colours, again when the reader's colour scheme or the room changes.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(`--${name}`).trim();
  };
  const axis = (colour) => ({
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { color: colour("soft"), fontSize: 12 },
    splitLine: { lineStyle: { color: colour("line") } },
  });

  const policies = (data, colour) => {
    const bars = [...data.bars].sort((a, b) => a.value - b.value);
    const chosen = data.bars[0].name;
    const widest = Math.max(...bars.map((bar) => bar.value));
    const ofBar = (bar) => {
      const isChosen = bar.name === chosen;
      const isInside = bar.value > widest / 2;
      const ink = isInside && isChosen ? "surface" : "ink";
      return {
        value: bar.value,
        itemStyle: { color: colour(isChosen ? "given" : "held"), borderRadius: 2 },
        label: {
          formatter: bar.label,
          position: isInside ? "insideRight" : "right",
          color: colour(ink),
          fontWeight: isChosen ? 600 : 400,
        },
      };
    };
    const words = bars.map((bar) => bar.words);
    const series = [
      { type: "bar", barMaxWidth: 26, data: bars.map(ofBar), label: { show: true, fontSize: 12 } },
    ];
    if (data.bound !== null) {
      // A line through every category, at the bound: nothing can lie beyond it.
      series.push({
        type: "line",
        data: words.map((word) => [data.bound, word]),
        showSymbol: false,
        lineStyle: { color: colour("limit"), width: 2 },
        silent: true,
      });
    }
    return {
      grid: { left: 0, right: 16, top: 8, bottom: 4, containLabel: true },
      xAxis: { type: "value", min: 0, axisLabel: { show: false }, splitLine: { show: false } },
      yAxis: { type: "category", data: words, ...axis(colour), axisLabel: { color: colour("ink"), fontSize: 13 } },
      series,
    };
  };

  const loads = (data, colour, width) => ({
    grid: { left: 0, right: 4, top: 12, bottom: 4, containLabel: true },
    xAxis: {
      type: "category",
      data: data.names,
      ...axis(colour),
      axisLabel: { show: width / data.names.length > 80, interval: 0, color: colour("soft"), fontSize: 12 },
    },
    yAxis: { type: "value", minInterval: 1, ...axis(colour) },
    series: [
      { type: "bar", stack: "leads", data: data.held, itemStyle: { color: colour("held") }, barMaxWidth: 34, barCategoryGap: "22%" },
      { type: "bar", stack: "leads", data: data.given, itemStyle: { color: colour("given") }, barMaxWidth: 34 },
      {
        type: "line",
        data: data.limit,
        showSymbol: true,
        symbol: "rect",
        symbolSize: [Math.max(3, Math.min(30, (0.7 * width) / data.names.length)), 3],
        lineStyle: { width: 0 },
        itemStyle: { color: colour("limit") },
      },
    ],
  });

  const kinds = { policies, loads };
  for (const element of document.querySelectorAll("[data-chart]")) {
    const data = JSON.parse(document.getElementById(element.dataset.source).textContent);
    const chart = echarts.init(element);
    const textStyle = { fontFamily: getComputedStyle(document.body).fontFamily };
    const draw = () => {
      const drawn = kinds[element.dataset.chart](data, colours(), element.clientWidth);
      chart.setOption({ animation: false, textStyle, ...drawn }, true);
    };
    draw();
    dark.addEventListener("change", draw);
    new ResizeObserver(() => { chart.resize(); draw(); }).observe(element);
    if (element.dataset.readout) {
      const readout = document.getElementById(element.dataset.readout);
      chart.on("mouseover", (point) => { readout.textContent = data.told[point.dataIndex]; });
    }
  }
})();
