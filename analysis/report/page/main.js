"use strict";
// The order in which the page comes up, and how it renews itself while its sweep runs.
{
  const RENEW = 15; // seconds

  const ago = () => {
    const seconds = (Date.now() - new Date(mg.data.written)) / 1000;
    document.getElementById("written").textContent =
      seconds < 60 ? "written just now" : `written ${mg.duration(seconds)} ago`;
    document.getElementById("written").title = mg.data.written;
  };

  // The address keeps what was chosen, this where the reader was.
  const PLACE = "mgsweep-place";
  const keepPlace = () => {
    history.scrollRestoration = "manual";
    addEventListener("pagehide", () => {
      try {
        sessionStorage.setItem(PLACE, String(scrollY));
      } catch {
        // Then it starts at the top.
      }
    });
    try {
      scrollTo(0, Number(sessionStorage.getItem(PLACE) ?? 0));
    } catch {
      // See above.
    }
  };

  const startLive = () => {
    ago();
    setInterval(ago, 5000);
    if (!mg.data.live) return;
    let [paused, touched] = [false, 0];
    const button = document.getElementById("live");
    button.hidden = false;
    const write = () => (button.textContent = paused ? "Paused" : "Live");
    button.addEventListener("click", () => {
      paused = !paused;
      write();
    });
    button.setAttribute("aria-label", "Renew the page by itself");
    for (const name of ["pointerdown", "pointermove", "keydown", "wheel"])
      addEventListener(name, () => (touched = Date.now()), { passive: true });
    mg.renew = () => location.reload();
    const idle = () => !document.hidden && Date.now() - touched > 3000; // not under the reader's hands
    setInterval(() => !paused && idle() && mg.renew(), RENEW * 1000);
    write();
  };

  const start = async () => {
    await mg.load();
    mg.restore();
    mg.presume({ folded: innerWidth < 640 }); // there is no room for chips on a phone
    mg.startTheme();
    mg.startSections();
    if (mg.count) {
      mg.startFronts(); // first: it says which axis gives the colours
      mg.startFilters();
      mg.startDetails();
      mg.startCourses();
      mg.startImportances();
      mg.startParallel();
      mg.startTable();
    } else document.getElementById("filters").hidden = true;
    startLive();
    keepPlace();
    document.documentElement.dataset.ready = "yes";
  };
  start().catch((error) => {
    mg.fill(
      "missing",
      mg.element(
        "p",
        { class: "note" },
        `This page could not be shown: ${error.message}. It needs a browser of 2023 or later.`,
      ),
    );
    document.getElementById("missing").hidden = false;
    throw error;
  });
}
