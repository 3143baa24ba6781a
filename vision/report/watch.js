// Reload the page when a run has started, finished or failed since it was drawn.
const timer = setInterval(async () => {
  try {
    const answer = await fetch("/state");
    if (answer.ok && (await answer.text()) !== STATE) location.reload();
  } catch {
    clearInterval(timer); // the server has stopped; the page stays as it is
  }
}, 2000);
