//! What joins the rooms: the list of couplings, one file each.
//!
//! What it leaves to others: the order of start and stop (`up`), and every rule.

mod accounts_here;
mod buckyos_doors;
mod devices;
mod doors;
mod files_here;
mod fresh_tls;
mod front_door;
mod grid_door;
mod hosts_in_tests;
mod jobs_ask_accounts;
mod jobs_here;
mod litekube_doors;
mod node_work;
mod nodes_here;
mod own_node;
mod reach;
mod scow_doors;
mod services_here;
mod this_machine;
mod zone_in_words;

pub(crate) use accounts_here::accounts_here;
pub(crate) use buckyos_doors::open_buckyos_doors;
pub(crate) use devices::tree_here;
pub(crate) use doors::Doors;
pub(crate) use files_here::{files_here, files_node};
pub(crate) use front_door::{open_front_door, reached_at};
pub(crate) use grid_door::{Parts as GridParts, open_grid_door};
pub(crate) use jobs_here::{jobs_here, jobs_node};
pub(crate) use litekube_doors::open_litekube_doors;
pub(crate) use node_work::{NodeParts, node_folder, node_work};
pub(crate) use nodes_here::{door_for_nodes, nodes_here};
pub(crate) use own_node::{OwnNode, come_back, own_address, start_own_node};
pub(crate) use reach::reach_services;
pub(crate) use scow_doors::{open_scow_doors, scow_portal};
pub(crate) use services_here::{services_here, services_node, tunnel_ports};
pub(crate) use this_machine::{PROGRAM, this_machine};
pub(crate) use zone_in_words::zone_in_words;

/// The migrations of every room, in the order in which they are applied.
pub(crate) fn migrations() -> Vec<store::Migration> {
    [
        access::MIGRATIONS,
        jobs::MIGRATIONS,
        tree::MIGRATIONS,
        nodes::MIGRATIONS,
        services::MIGRATIONS,
        accounts::MIGRATIONS,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn every_action_of_every_room_has_its_line_in_the_table_of_roles_and_no_line_is_left_over() {
        let table = access::Table::shipped().expect("the shipped table is good");
        let lines: BTreeSet<&str> = table.actions().collect();
        let rooms = [
            access::ACTIONS,
            jobs::ACTIONS,
            files::ACTIONS,
            tree::ACTIONS,
            nodes::ACTIONS,
            services::ACTIONS,
            accounts::ACTIONS,
        ]
        .concat();
        let actions: BTreeSet<&str> = rooms.into_iter().collect();
        assert_eq!(lines, actions);
    }
}
