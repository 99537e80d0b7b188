// A token behind the # of the address, as the command line gives it: never sent with an address, and gone from it at once.

const token = location.hash.slice(1);
if (token) {
  history.replaceState(null, "", location.pathname + location.search);
  document.getElementById("token").value = decodeURIComponent(token);
  document.querySelector("main form").submit();
}
