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

  // Marks at the height of each category, as wide as room allows.
  const marks = (data, colour, width) => ({
    type: "line",
    data,
    showSymbol: true,
    symbol: "rect",
    symbolSize: [Math.max(3, Math.min(30, (0.7 * width) / data.length)), 3],
    lineStyle: { width: 0 },
    itemStyle: { color: colour("limit") },
  });

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
      marks(data.limit, colour, width),
    ],
  });

  const percent = (digits) => {
    const said = new Intl.NumberFormat(document.documentElement.lang, {
      style: "percent",
      maximumFractionDigits: digits,
    });
    return (share) => said.format(share);
  };

  const shares = (data, colour, width) => ({
    ...loads({ names: data.names, held: [], given: [], limit: [] }, colour, width),
    yAxis: { type: "value", ...axis(colour), axisLabel: { formatter: percent(0), color: colour("soft"), fontSize: 12 } },
    series: [
      { type: "bar", data: data.load, itemStyle: { color: colour("held") }, barMaxWidth: 20, barGap: "0%", barCategoryGap: "24%" },
      { type: "bar", data: data.quality, itemStyle: { color: colour("given") }, barMaxWidth: 20 },
      marks(data.weight, colour, width),
    ],
  });

  const curve = (data, colour) => {
    const named = (words) => ({ name: words, nameTextStyle: { color: colour("soft"), fontSize: 12 } });
    const label = (digits) => ({ formatter: percent(digits), color: colour("soft"), fontSize: 12, hideOverlap: true });
    const line = { type: "line", symbol: "circle", lineStyle: { width: 2, color: colour("given") }, itemStyle: { color: colour("given") } };
    return {
      grid: { left: 8, right: 24, top: 30, bottom: 26, containLabel: true },
      xAxis: { type: "value", scale: true, ...axis(colour), axisLabel: label(1), ...named(data.labels.x), nameLocation: "middle", nameGap: 26 },
      yAxis: { type: "value", scale: true, ...axis(colour), axisLabel: label(1), ...named(data.labels.y), nameTextStyle: { color: colour("soft"), fontSize: 12, align: "left" } },
      series: [
        { ...line, data: data.points, symbolSize: 7, step: "end" },
        { ...line, data: [data.plan], symbolSize: 15, symbol: "diamond", itemStyle: { color: colour("limit") }, z: 3, silent: true },
      ],
    };
  };

  const funnel = (data, colour) => {
    const part = (values, name) => ({
      type: "bar",
      stack: "leads",
      data: values,
      barMaxWidth: 28,
      itemStyle: { color: colour(name) },
    });
    return {
      grid: { left: 0, right: 16, top: 4, bottom: 4, containLabel: true },
      xAxis: { type: "value", min: 0, minInterval: 1, ...axis(colour) },
      yAxis: { type: "category", inverse: true, data: data.names, ...axis(colour), axisLabel: { color: colour("ink"), fontSize: 13 } },
      series: [part(data.on, "given"), part(data.open, "held"), part(data.lost, "limit")],
    };
  };

  // A band is its lower end, unseen, and its width stacked upon it.
  const band = (name, low, high, ink) => [
    { type: "line", stack: name, stackStrategy: "all", data: low, showSymbol: false, lineStyle: { width: 0 }, silent: true },
    {
      type: "line",
      stack: name,
      stackStrategy: "all",
      data: high.map((end, k) => end - low[k]),
      showSymbol: false,
      lineStyle: { width: 0 },
      areaStyle: { color: ink, opacity: 0.22 },
      silent: true,
    },
  ];
  const line = (data, ink, style = {}) => ({
    type: "line",
    data,
    showSymbol: data.length === 1,
    itemStyle: { color: ink },
    lineStyle: { color: ink, width: 2, ...style },
    silent: true,
  });
  const percents = (colour, more) => ({
    type: "value",
    ...axis(colour),
    axisLabel: { color: colour("soft"), fontSize: 12, formatter: "{value} %" },
    ...more,
  });
  const spread = (colour, data, width) => ({
    type: "category",
    data,
    boundaryGap: data.length === 1,
    ...axis(colour),
    axisLabel: { color: colour("soft"), fontSize: 12, hideOverlap: true, interval: Math.ceil((data.length * 100) / width) },
  });

  const effect = (data, colour, width) => ({
    grid: { left: 0, right: 24, top: 12, bottom: 4, containLabel: true },
    xAxis: spread(colour, data.days, width),
    yAxis: percents(colour, { min: data.axis[0], max: data.axis[1], interval: data.axis[2] }),
    series: [
      ...band("interval", data.low, data.high, colour("given")),
      line(data.days.map(() => 0), colour("limit"), { width: 2 }),
      line(data.effect, colour("given")),
    ],
  });

  const wins = (data, colour, width) => ({
    grid: { left: 0, right: 24, top: 12, bottom: 4, containLabel: true },
    xAxis: spread(colour, data.days, 2.5 * width),
    yAxis: percents(colour, { min: 0 }),
    series: [
      ...band("control", data.control.low, data.control.high, colour("held")),
      ...band("treatment", data.treatment.low, data.treatment.high, colour("given")),
      line(data.control.share, colour("soft"), { type: "dashed" }),
      line(data.treatment.share, colour("given")),
    ],
  });

  const kinds = { policies, loads, shares, curve, funnel, effect, wins };
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
