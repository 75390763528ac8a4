// Light or dark: as the system says, unless the switch says otherwise. Loaded before the page is drawn, hence no module.

(() => {
  const CHOICES = ["system", "light", "dark"];
  const root = document.documentElement;

  const read = () => {
    try {
      const stored = localStorage.getItem("zmqtopo-theme");
      return CHOICES.includes(stored) ? stored : "system";
    } catch {
      return "system"; // storage may be forbidden
    }
  };

  const apply = (choice) => {
    root.dataset.theme = choice;
    const button = document.getElementById("theme");
    if (button) button.textContent = `Theme: ${choice}`;
  };

  const next = () => {
    const choice = CHOICES[(CHOICES.indexOf(root.dataset.theme) + 1) % CHOICES.length];
    try {
      localStorage.setItem("zmqtopo-theme", choice);
    } catch {
      // then it lasts as long as the page
    }
    apply(choice);
  };

  apply(read());
  document.addEventListener("DOMContentLoaded", () => {
    apply(root.dataset.theme);
    document.getElementById("theme").addEventListener("click", next);
  });
})();
