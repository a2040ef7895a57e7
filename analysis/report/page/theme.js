"use strict";
// Light or dark: the reader's choice, else the system's.
{
  const THEMES = ["system", "light", "dark"];
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let theme = "system";

  const remember = () => {
    try {
      localStorage.setItem("mgsweep-theme", theme);
    } catch {
      // A browser may refuse a page from disk; then the choice ends with the page.
    }
  };

  mg.isDark = () => (theme === "system" ? dark.matches : theme === "dark");
  mg.css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // A colour of the figures, which are printed on white: black turns to white on a dark page.
  mg.ink = (color) => (mg.isDark() && color.toLowerCase() === "#000000" ? "#ffffff" : color);

  const apply = () => {
    document.documentElement.dataset.theme = mg.isDark() ? "dark" : "light";
    const button = document.getElementById("theme");
    button.textContent = { system: "Auto", light: "Light", dark: "Dark" }[theme];
    button.setAttribute("aria-label", `Theme: ${theme}. Change it`);
  };

  mg.startTheme = () => {
    try {
      theme = THEMES.includes(localStorage.getItem("mgsweep-theme")) ? localStorage.getItem("mgsweep-theme") : theme;
    } catch {
      // See remember.
    }
    apply();
    document.getElementById("theme").addEventListener("click", () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      apply();
      remember();
      mg.choose({ theme });
    });
    dark.addEventListener("change", () => {
      apply();
      mg.choose({ theme });
    });
  };

  // What all charts have in common. Names are text here, too: plotly reads some tags.
  mg.plain = (text) =>
    String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\n", " ");
  mg.short = (text, most = 40) =>
    String(text).length > most ? `${[...String(text)].slice(0, most - 1).join("")}…` : String(text);
  mg.layout = () => ({
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 12, color: mg.css("--text") },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: mg.css("--quiet"), activecolor: mg.css("--text") },
    showlegend: false,
    hovermode: "closest",
    hoverdistance: 12,
  });
  mg.line = () => ({
    gridcolor: mg.css("--grid"),
    linecolor: mg.css("--line"),
    zeroline: false,
    showline: true,
    ticks: "outside",
    ticklen: 3,
    tickcolor: mg.css("--line"),
    automargin: true,
  });
  mg.PLOT = {
    displaylogo: false,
    responsive: true,
    modeBarButtonsToRemove: ["zoomIn2d", "zoomOut2d", "autoScale2d"],
    toImageButtonOptions: { format: "svg", filename: "fronts" },
  };
}
